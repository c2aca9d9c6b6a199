// Web serves a page with live figures of the machine that it runs on. In a VM:
//
//	burrow run -p 127.0.0.1:8080:8080 ./examples/web
//
// and natively with `go run .`: it is the same program.
package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
)

//go:embed page.html
var page []byte

func main() {
	address := flag.String("addr", ":8080", "where to listen")
	url := flag.String("url", "http://127.0.0.1:8080/", "how a browser reaches this, to be printed")
	flag.Parse()
	figures := newFigures()
	server := &http.Server{Handler: figures.count(routes(figures))}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() {
		<-stop
		server.Close()
	}()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal("web: ", err)
	}
	fmt.Printf("web: listening on %s, in %s%s\n", listener.Addr(), figures.place, figures.bootText())
	fmt.Printf("Open %s in a browser; Ctrl-C ends it.\n", *url)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal("web: ", err)
	}
}

func routes(figures *figures) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})
	mux.HandleFunc("/stats", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(figures.now())
	})
	return mux
}
