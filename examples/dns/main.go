// A DNS server for one zone, on github.com/miekg/dns, over UDP and TCP.
//
//	burrow run -p 5353:5353 -p 5353:5353/udp ./examples/dns
//	dig @127.0.0.1 -p 5353 www.burrow.test
package main

import (
	"flag"
	"fmt"
	"log"

	"github.com/miekg/dns"
)

var zone = map[string]string{
	"burrow.test.":     "burrow.test. 60 IN A 192.0.2.1",
	"www.burrow.test.": "www.burrow.test. 60 IN A 192.0.2.2",
}

func answer(w dns.ResponseWriter, request *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(request)
	reply.Authoritative = true
	for _, question := range request.Question {
		record, ok := zone[question.Name]
		if !ok {
			reply.Rcode = dns.RcodeNameError
			continue
		}
		if question.Qtype != dns.TypeA {
			continue
		}
		resource, err := dns.NewRR(record)
		if err != nil {
			log.Fatal(err)
		}
		reply.Answer = append(reply.Answer, resource)
	}
	if err := w.WriteMsg(reply); err != nil {
		log.Print(err)
	}
}

func main() {
	address := flag.String("addr", ":5353", "where to listen")
	flag.Parse()
	dns.HandleFunc("burrow.test.", answer)
	started := func() { fmt.Println("dns: listening on", *address) }
	go func() { log.Fatal((&dns.Server{Addr: *address, Net: "udp"}).ListenAndServe()) }()
	log.Fatal((&dns.Server{Addr: *address, Net: "tcp", NotifyStartedFunc: started}).ListenAndServe())
}
