// Says what a machine has learned of the network that it is in, once there is something to say:
// lan KIND WANTED..., where KIND is the family to wait for (4, 6) and WANTED are names to look up
// or addresses to dial.
package main

import (
	"fmt"
	"net"
	"os"
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

func main() {
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
