// Command process is what runs in the containers of the contract suite. It
// does what enginetest's Script does in memory.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
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
	case "exit":
		os.Exit(number())
	case "write":
		if err := os.WriteFile(os.Args[2], []byte(os.Args[3]), 0o600); err != nil {
			panic(err)
		}
		fmt.Println("waiting")
		<-term
	case "wait": // until TERM
		fmt.Println("waiting")
		<-term
	case "stubborn": // only KILL helps
		fmt.Println("waiting")
		time.Sleep(time.Hour)
	}
}
