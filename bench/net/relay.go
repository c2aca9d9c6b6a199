package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// A link that loses and delays: frames are carried between two taps, in two namespaces. It
// does what tc's netem does, which not every kernel has.
const (
	linkDelay = 20 * time.Millisecond // each way
	linkLoss  = 0.005                 // each way
	linkQueue = 10000                 // frames
)

// openTap makes a tap in a namespace, which must exist.
func openTap(space, name string) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // for good: the thread ends in the other namespace
		file, err := openTapHere(space, name)
		done <- result{file, err}
	}()
	r := <-done
	return r.file, r.err
}

func openTapHere(space, name string) (*os.File, error) {
	const setns, tunSetIff, iffTap, iffNoPI = 308, 0x400454ca, 2, 0x1000
	handle, err := os.Open("/run/netns/" + space)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	if _, _, errno := syscall.RawSyscall(setns, handle.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return nil, fmt.Errorf("setns: %w", errno)
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: iffTap | iffNoPI}
	copy(request.name[:15], name)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		return nil, fmt.Errorf("tap %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}

type frame struct {
	bytes []byte
	due   time.Time
}

// relay carries frames one way until a tap is closed.
func relay(from, to *os.File) {
	queue := make(chan frame, linkQueue)
	go func() {
		for f := range queue {
			time.Sleep(time.Until(f.due))
			to.Write(f.bytes) // a tap that is down drops it, as a cable would
		}
	}()
	defer close(queue)
	buffer := make([]byte, 65536)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if rand.Float64() < linkLoss {
			continue
		}
		select {
		case queue <- frame{append([]byte(nil), buffer[:n]...), time.Now().Add(linkDelay)}:
		default: // full
		}
	}
}

// join connects a new tap of one namespace to a new tap of another.
func join(space, name, otherSpace, otherName string) error {
	one, err := openTap(space, name)
	if err != nil {
		return err
	}
	other, err := openTap(otherSpace, otherName)
	if err != nil {
		return err
	}
	go relay(one, other)
	go relay(other, one)
	return nil
}
