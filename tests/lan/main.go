// Says what a machine has learned of the network that it is in, once there is something to say:
// lan KIND WANTED..., where KIND is the family to wait for (4, 6) and WANTED are names to look up
// or addresses to dial. `lan time NOW` waits for the clock to be set by `lan serve-time`.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const limit = 15 * time.Second

// addresses of eth0 that are not link-local.
func addresses(is6 bool) (found []string) {
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return nil
	}
	list, _ := eth0.Addrs()
	for _, a := range list {
		if ip := a.(*net.IPNet); !ip.IP.IsLinkLocalUnicast() && (ip.IP.To4() == nil) == is6 {
			found = append(found, a.String())
		}
	}
	return found
}

// ahead is how far the clock of serve-time goes before the host's.
const ahead = 1000000

// serveTime is a time server (SNTP, RFC 4330).
func serveTime() {
	socket, err := net.ListenPacket("udp", ":123")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	packet := make([]byte, 48)
	for {
		n, from, err := socket.ReadFrom(packet)
		if err != nil || n != 48 {
			continue
		}
		answer := make([]byte, 48)
		answer[0], answer[1] = 0x24, 2
		copy(answer[24:], packet[40:])
		now := time.Now().Add(ahead * time.Second)
		for _, at := range []int{32, 40} {
			binary.BigEndian.PutUint32(answer[at:], uint32(now.Unix()+2208988800))
			binary.BigEndian.PutUint32(answer[at+4:], uint32(uint64(now.Nanosecond())<<32/1e9))
		}
		socket.WriteTo(answer, from)
	}
}

// awaitTime waits for the clock to be moved away from the host's.
func awaitTime(host string) {
	start, _ := strconv.ParseInt(host, 10, 64)
	for end := time.Now().Add(limit); time.Now().Before(end) && time.Now().Unix()-start < ahead/2; {
		time.Sleep(20 * time.Millisecond)
	}
	// To 10 s: the machine took a while to start.
	fmt.Printf("the clock is %d s ahead\n", (time.Now().Unix()-start)/10*10)
}

func main() {
	switch os.Args[1] {
	case "serve-time":
		serveTime()
	case "time":
		awaitTime(os.Args[2])
		return
	}
	// What a program does first must work, though nothing is configured yet.
	for _, wanted := range os.Args[2:] {
		if strings.Contains(wanted, ":") {
			connection, err := net.DialTimeout("tcp", wanted, limit)
			fmt.Println("dial", wanted, err)
			if err == nil {
				connection.Close()
			}
			continue
		}
		found, err := net.LookupHost(wanted)
		fmt.Println("lookup", wanted, found, err)
	}
	for end := time.Now().Add(limit); time.Now().Before(end) && len(addresses(os.Args[1] == "6")) == 0; {
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Println("address", addresses(false), addresses(true))
	text, err := os.ReadFile("/etc/resolv.conf")
	fmt.Printf("resolver %q %v\n", text, err)
	text, err = os.ReadFile("/proc/net/route")
	fmt.Printf("routes %q %v\n", text, err)
}
