// A load of small files: prints one figure, files in a second.
//
//	smallfiles reread DIR   opens, reads and closes the files of DIR, again and again
//	smallfiles churn DIR    makes 100,000 files below DIR, asks about each, reads it, removes it
//	smallfiles wait         prints a line and waits for its stdin to end
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	churnFiles = 100_000
	fileBytes  = 1024
)

func main() {
	switch os.Args[1] {
	case "reread":
		reread(os.Args[2])
	case "churn":
		churn(os.Args[2])
	case "wait":
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reread(dir string) {
	entries, err := os.ReadDir(dir)
	exitOn(err)
	var paths []string
	for _, entry := range entries {
		paths = append(paths, filepath.Join(dir, entry.Name()))
	}
	buffer := make([]byte, 64<<10)
	readAll := func() {
		for _, path := range paths {
			file, err := os.Open(path)
			exitOn(err)
			_, err = file.Read(buffer)
			exitOn(err)
			file.Close()
		}
	}
	readAll()
	start, count := time.Now(), 0
	for time.Since(start) < 2*time.Second {
		readAll()
		count += len(paths)
	}
	fmt.Printf("%.0f\n", float64(count)/time.Since(start).Seconds())
}

func churn(dir string) {
	content := make([]byte, fileBytes)
	name := func(i int) string { return fmt.Sprintf("%s/%d/%d", dir, i%100, i) }
	for i := 0; i < 100; i++ {
		exitOn(os.MkdirAll(fmt.Sprintf("%s/%d", dir, i), 0o755))
	}
	start := time.Now()
	for i := 0; i < churnFiles; i++ {
		exitOn(os.WriteFile(name(i), content, 0o644))
	}
	for i := 0; i < churnFiles; i++ {
		_, err := os.Stat(name(i))
		exitOn(err)
	}
	for i := 0; i < churnFiles; i++ {
		_, err := os.ReadFile(name(i))
		exitOn(err)
	}
	for i := 0; i < churnFiles; i++ {
		exitOn(os.Remove(name(i)))
	}
	fmt.Printf("%.0f\n", churnFiles/time.Since(start).Seconds())
}
