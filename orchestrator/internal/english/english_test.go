package english

import "fmt"

func ExamplePlural() {
	fmt.Println(Plural(1, "try", "tries"), Plural(0, "try", "tries"), Plural(3, "try", "tries"))
	// Output: 1 try 0 tries 3 tries
}
