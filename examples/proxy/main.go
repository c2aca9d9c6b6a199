// A reverse proxy that counts: forwards to two back ends of its own, in turn.
//
//	burrow run -p 8080:8080 ./examples/proxy
//	curl -i http://127.0.0.1:8080/
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

func main() {
	address := flag.String("addr", ":8080", "where to listen")
	flag.Parse()
	backends := []*httputil.ReverseProxy{backend("one"), backend("two")}
	var turn atomic.Uint64
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("proxy: listening on", listener.Addr())
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := turn.Add(1)
		w.Header().Set("X-Request", fmt.Sprint(n))
		backends[n%uint64(len(backends))].ServeHTTP(w, r)
	})))
}

// backend serves on the loopback interface; the result forwards to it.
func backend(name string) *httputil.ReverseProxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "back end %s served %s\n", name, r.URL.Path)
	}))
	return httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listener.Addr().String()})
}
