package mcp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func lines(n, length int) []any {
	var all []any
	for i := range n {
		all = append(all, map[string]any{"seq": json.Number(fmt.Sprint(i)), "text": strings.Repeat("x", length)})
	}
	return all
}

// checkLongest fails the test if a result is longer than it may be.
func checkLongest(t *testing.T, r result) {
	t.Helper()
	const note = 1 << 10
	if len(r.text) > maxText+note || size(r.value) > maxValue+note || !utf8.ValidString(r.text) {
		t.Errorf("%d bytes of text, %d of JSON", len(r.text), size(r.value))
	}
}

func TestShortResultsStay(t *testing.T) {
	r := shorten(result{text: "one\n", value: map[string]any{"lines": lines(100, 100)}}, tool{})
	if r.text != "one\n" || len(r.value.(map[string]any)["lines"].([]any)) != 100 || r.value.(map[string]any)["cut"] != nil {
		t.Errorf("%+v", r)
	}
	if r := shorten(result{text: "failed", failed: true}, tool{}); r.value != nil || !r.failed {
		t.Errorf("%+v", r)
	}
}

// Of logs the newest lines stay, of other lists the first.
func TestListsAreCut(t *testing.T) {
	for _, newest := range []bool{true, false} {
		var text strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&text, "line %d of ä\n", i)
		}
		r := shorten(result{text: text.String() + strings.Repeat("last\n", maxText/5-100), value: map[string]any{"lines": lines(1000, 200)}}, tool{newest: newest})
		checkLongest(t, r)
		value := r.value.(map[string]any)
		left := value["lines"].([]any)
		first := left[0].(map[string]any)["seq"].(json.Number).String()
		if want := map[bool]string{true: "875", false: "0"}[newest]; first != want || len(left) != 125 {
			t.Errorf("newest %t: %d lines from %s", newest, len(left), first)
		}
		if last := left[len(left)-1].(map[string]any)["seq"].(json.Number).String(); newest != (last == "999") {
			t.Errorf("newest %t: until %s", newest, last)
		}
		note := fmt.Sprintf("%d lines", 1000-len(left))
		if !strings.Contains(r.text, note) || !strings.Contains(value["cut"].(string), note) || !strings.Contains(r.text, "bytes of text") {
			t.Errorf("newest %t: %q", newest, value["cut"])
		}
		if newest == strings.Contains(r.text, "line 0 of") {
			t.Errorf("newest %t: %.100q", newest, r.text)
		}
	}
}

// The nodes of the only cluster are a list, too.
func TestAListInAList(t *testing.T) {
	r := shorten(result{value: map[string]any{"clusters": []any{map[string]any{"cluster": "shop", "nodes": lines(100, 1000)}}}}, tool{})
	checkLongest(t, r)
	cluster := r.value.(map[string]any)["clusters"].([]any)[0].(map[string]any)
	if n := len(cluster["nodes"].([]any)); n != 25 || cluster["cluster"] != "shop" || !strings.Contains(r.text, "75 nodes") {
		t.Errorf("%d nodes of %s; %q", n, cluster["cluster"], r.text)
	}
}

// One long string, as an expression's value, is cut in whole characters.
func TestStringsAreCut(t *testing.T) {
	r := shorten(result{text: strings.Repeat("ä", maxText), value: map[string]any{"result": strings.Repeat("ä", maxValue)}}, tool{})
	checkLongest(t, r)
	value := r.value.(map[string]any)["result"].(string)
	if !utf8.ValidString(value) || len(value) < maxString-8 || !strings.HasSuffix(value, "…") {
		t.Errorf("%d bytes, valid %t", len(value), utf8.ValidString(value))
	}
	if !strings.Contains(r.text, "strings of more than 8192 bytes") {
		t.Errorf("%.200q", r.text[len(r.text)-200:])
	}
}

// What is long in a way that no rule foresees is left out, and says so.
func TestEverythingIsCut(t *testing.T) {
	value := map[string]any{}
	for i := range 20000 {
		value[fmt.Sprintf("key-%d", i)] = "x"
	}
	r := shorten(result{value: value}, tool{})
	checkLongest(t, r)
	if !strings.Contains(r.text, "everything") {
		t.Errorf("%q", r.text)
	}
	deep := map[string]any{"nodes": []any{map[string]any{"text": lines(300, maxString*2)}}}
	r = shorten(result{value: deep}, tool{})
	checkLongest(t, r)
}

// A long health report loses what passed first.
func TestALongHealthReport(t *testing.T) {
	var checks []any
	for i := range 500 {
		state := "passed"
		if i%100 == 0 {
			state = "failed"
		}
		checks = append(checks, map[string]any{"state": state, "name": fmt.Sprint("check ", i), "figures": strings.Repeat("x", 200)})
	}
	report := map[string]any{"checks": checks, "nodes": []any{map[string]any{"name": "n1", "sample": map[string]any{"load": "x"}}}}
	r := shorten(result{value: report}, tools[indexOf("health")])
	checkLongest(t, r)
	value := r.value.(map[string]any)
	if n := len(value["checks"].([]any)); n != 5 {
		t.Errorf("%d checks", n)
	}
	if value["nodes"].([]any)[0].(map[string]any)["sample"] != nil || !strings.Contains(r.text, "checks that passed") {
		t.Errorf("%v, %q", value["nodes"], r.text)
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("one\ntwo\n", `{"lines": ["a", "b"]}`, 2)
	f.Add(strings.Repeat("ä\n", maxText), `{"a": {"b": ["`+strings.Repeat("c", 100)+`"]}}`, 1000)
	f.Fuzz(func(t *testing.T, text, data string, times int) {
		var one any
		if json.Unmarshal([]byte(data), &one) != nil {
			return
		}
		var many []any
		for range min(max(times, 0), 1<<18/len(data)) {
			var again any
			if err := json.Unmarshal([]byte(data), &again); err != nil {
				t.Fatal(err)
			}
			many = append(many, again)
		}
		for _, newest := range []bool{true, false} {
			checkLongest(t, shorten(result{text: strings.ToValidUTF8(text, "?"), value: map[string]any{"many": many, "one": one}}, tool{newest: newest}))
		}
	})
}
