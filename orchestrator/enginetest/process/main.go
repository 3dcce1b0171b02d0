// Command process is what runs in the containers of the contract suite. It
// does what enginetest's Script does in memory.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	terminal "golang.org/x/term"
)

func main() {
	signal.Ignore(syscall.SIGUSR1)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	number := func() int {
		n, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		return n
	}
	switch os.Args[1] {
	case "print":
		for i := range number() {
			fmt.Printf("stdout %d\n", i+1)
			fmt.Fprintf(os.Stderr, "stderr %d\n", i+1)
		}
	case "long":
		fmt.Println(strings.Repeat("x", number()))
	case "hostname":
		name, err := os.Hostname()
		fmt.Println(name, err)
	case "env":
		fmt.Println(os.Getenv(os.Args[2]))
	case "read":
		text, err := os.ReadFile(os.Args[2])
		fmt.Println(string(text), err)
	case "sees":
		_, err := os.Stat("/proc/" + os.Args[2])
		fmt.Println(err == nil)
	case "net-admin": // CAP_NET_ADMIN, number 12, is in effect
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			panic(err)
		}
		_, set, _ := strings.Cut(string(status), "CapEff:\t")
		caps, err := strconv.ParseUint(set[:16], 16, 64)
		fmt.Println(caps&(1<<12) != 0, err)
	case "exit":
		os.Exit(number())
	case "write":
		if err := os.WriteFile(os.Args[2], []byte(os.Args[3]), 0o600); err != nil {
			panic(err)
		}
		fmt.Println("waiting")
		<-term
	case "lines": // N lines of so many bytes to stdout, and how long that took to stderr
		size, err := strconv.Atoi(os.Args[3])
		if err != nil {
			panic(err)
		}
		out := bufio.NewWriterSize(os.Stdout, 32<<10)
		fill := strings.Repeat("x", size)
		began := time.Now()
		for i := range number() {
			head := fmt.Sprintf("line %d ", i+1)
			fmt.Fprintf(out, "%s%s\n", head, fill[:size-len(head)-1])
		}
		if err := out.Flush(); err != nil {
			panic(err)
		}
		fmt.Fprintf(os.Stderr, "wrote for %d ns\n", time.Since(began).Nanoseconds())
		<-term
	case "wait": // until TERM
		fmt.Println("waiting")
		<-term
	case "where":
		folder, err := os.Getwd()
		if err != nil {
			panic(err)
		}
		fmt.Println(os.Getuid(), folder)
	case "echo":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			panic(err)
		}
	case "columns":
		resized := make(chan os.Signal, 1)
		signal.Notify(resized, syscall.SIGWINCH)
		for _, want := range os.Args[2:] {
			for {
				width, _, err := terminal.GetSize(0)
				if err != nil {
					fmt.Println("no terminal")
					os.Exit(1)
				}
				if strconv.Itoa(width) == want {
					break
				}
				<-resized
			}
			fmt.Println(want, "columns")
		}
	case "keys":
		if _, err := terminal.MakeRaw(0); err != nil {
			panic(err)
		}
		fmt.Print("waiting\r\n")
		for range number() {
			var key [1]byte
			if _, err := io.ReadFull(os.Stdin, key[:]); err != nil {
				panic(err)
			}
			fmt.Printf("%x\r\n", key[0])
		}
	case "stubborn": // only KILL helps
		fmt.Println("waiting")
		time.Sleep(time.Hour)
	}
}
