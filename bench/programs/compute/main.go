// Programs that compute, and one that allocates: prints milliseconds for each.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"
)

var works = map[string]func(){
	"sort": sorting, "json": jsonRoundTrip, "regexp": matching, "sha256": hashing,
	"map": mapping, "fmt": formatting, "trees": trees,
}

func main() {
	for _, name := range os.Args[1:] {
		work := works[name]
		if work == nil {
			fmt.Fprintln(os.Stderr, "no work", name)
			os.Exit(2)
		}
		start := time.Now()
		work()
		fmt.Printf("%s %.3f\n", name, float64(time.Since(start).Nanoseconds())/1e6)
	}
}

func sorting() {
	random := rand.New(rand.NewSource(1))
	for round := 0; round < 4; round++ {
		numbers := make([]int, 400000)
		for i := range numbers {
			numbers[i] = random.Int()
		}
		sort.Ints(numbers)
	}
}

type record struct {
	ID     int               `json:"id"`
	Name   string            `json:"name"`
	Tags   []string          `json:"tags"`
	Scores map[string]string `json:"scores"`
}

func jsonRoundTrip() {
	var records []record
	for i := 0; i < 200; i++ {
		records = append(records, record{i, fmt.Sprint("name ", i), []string{"a", "b", "c"}, map[string]string{"x": "1", "y": "2"}})
	}
	for round := 0; round < 120; round++ {
		text, err := json.Marshal(records)
		if err != nil {
			panic(err)
		}
		var back []record
		if err := json.Unmarshal(text, &back); err != nil {
			panic(err)
		}
	}
}

func matching() {
	expression := regexp.MustCompile(`([a-z]+)@([a-z]+)\.(com|org)`)
	text := strings.Repeat("some text and someone@example.org more text ", 2000)
	for round := 0; round < 10; round++ {
		if len(expression.FindAllString(text, -1)) != 2000 {
			panic("matches")
		}
	}
}

func hashing() {
	data := make([]byte, 1<<20)
	for round := 0; round < 200; round++ {
		sum := sha256.Sum256(data)
		data[0] = sum[0]
	}
}

func mapping() {
	for round := 0; round < 6; round++ {
		table := map[int]int{}
		for i := 0; i < 300000; i++ {
			table[i*7919]++
		}
		for i := 0; i < 300000; i++ {
			table[i*7919] += i
		}
	}
}

func formatting() {
	total := 0
	for i := 0; i < 1500000; i++ {
		total += len(fmt.Sprintf("%d %s %5.2f", i, "text", float64(i)))
	}
	if total == 0 {
		panic("nothing")
	}
}

type node struct{ left, right *node }

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grow(depth - 1), grow(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

// trees is the binary-trees program: depth 18, garbage collector on.
func trees() {
	const depth = 18
	long := grow(depth)
	var wait sync.WaitGroup
	for d := 4; d <= depth; d += 4 {
		wait.Add(1)
		go func(d int) {
			defer wait.Done()
			for i := 0; i < 1<<(depth-d+4); i++ {
				if grow(d).count() != 1<<(d+1)-1 {
					panic("nodes are missing")
				}
			}
		}(d)
	}
	wait.Wait()
	if long.count() != 1<<(depth+1)-1 {
		panic("nodes are missing")
	}
}
