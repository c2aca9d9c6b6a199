package main

import (
	"fmt"
	"sort"
	"strings"
)

// row is one line of the table.
type row struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Native []float64 `json:"native,omitempty"`
	VM     []float64 `json:"vm"`
	Limit  limit     `json:"limit"`
	Error  string    `json:"error,omitempty"`

	measure func(opts options, r *row) error
}

// limit is what the VM's median must not exceed.
type limit struct {
	Kind  string  `json:"kind"` // ratio: to native; above: more than native; value: by itself; none
	Value float64 `json:"value"`
}

func (r row) Medians() (native, vm float64) {
	return median(r.Native), median(r.VM)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// meets tells whether a measured row keeps its limit.
func (r row) meets() bool {
	native, vm := r.Medians()
	switch r.Limit.Kind {
	case "ratio":
		return vm <= native*r.Limit.Value
	case "above":
		return vm-native <= r.Limit.Value
	case "value":
		return vm <= r.Limit.Value
	}
	return true
}

func (r row) limitText() string {
	switch r.Limit.Kind {
	case "ratio":
		return fmt.Sprintf("%.2f ×", r.Limit.Value)
	case "above":
		return fmt.Sprintf("+%.4g %s", r.Limit.Value, r.Unit)
	case "value":
		return fmt.Sprintf("%.4g %s", r.Limit.Value, r.Unit)
	}
	return ""
}

func (r row) ratioText() string {
	native, vm := r.Medians()
	switch {
	case r.Limit.Kind == "above":
		return fmt.Sprintf("%+.2f %s", vm-native, r.Unit)
	case native > 0:
		return fmt.Sprintf("%.3f ×", vm/native)
	}
	return ""
}

var ratio = func(value float64) limit { return limit{"ratio", value} }

// table lists every row; limits are those of the KVM platform.
func table() []*row {
	rows := []*row{
		{Name: "cold start to the first byte", Unit: "ms", Limit: ratio(3), measure: measureStart(true)},
		{Name: "cold start to exit and reaped", Unit: "ms", Limit: ratio(3), measure: measureStart(false)},
		{Name: "the same through burrow run", Unit: "ms", measure: measureBurrowRun},
	}
	micro := func(name, operation, unit string, scale, maximum float64, flags ...string) {
		rows = append(rows, &row{Name: name, Unit: unit, Limit: ratio(maximum), measure: measureReported("micro", operation, scale, flags...)})
	}
	micro("getpid", "getpid", "ns", 1, 0.15)
	micro("clock_gettime as a system call", "clock_gettime", "ns", 1, 0.15)
	micro("futex wake, nobody waits", "futex-wake", "ns", 1, 0.15)
	micro("pipe, 1 byte written and read", "pipe", "ns", 1, 0.4)
	micro("goroutine ping-pong", "channels", "ns", 1, 1.0)
	micro("ping-pong of locked threads", "locked", "ns", 1, 1.5, "--cpus", "2")
	compute := func(name, work string, maximum float64) {
		rows = append(rows, &row{Name: name, Unit: "ms", Limit: ratio(maximum), measure: measureReported("compute", work, 1, "--cpus", "2", "--mem", "1G")})
	}
	for _, work := range []string{"sort", "json", "regexp", "sha256", "map", "fmt"} {
		compute("computing: "+work, work, 1.03)
	}
	compute("allocating: binary trees, 2 vcpus", "trees", 1.05)
	micro("touch 1 GiB of fresh memory", "touch", "ms", 1e-6, 0.5, "--mem", "2G")
	micro("time.Sleep(1 ms), overshoot", "sleep", "µs", 1e-3, 2)
	return append(rows,
		&row{Name: "time.Now", Unit: "ns", measure: measureReported("micro", "vdso-clock", 1)},
		&row{Name: "hello at rest, private memory", Unit: "MiB", Limit: limit{"above", 6}, measure: measureMemory("Private_Clean:", "Private_Dirty:")},
		&row{Name: "hello at rest, proportional memory", Unit: "MiB", measure: measureMemory("Pss:")},
		&row{Name: "idle: host wake-ups in 10 s", Unit: "", Limit: limit{"above", 0}, measure: measureIdle},
		&row{Name: "kernel image", Unit: "MiB", Limit: limit{"value", 1}, measure: measureKernelImage},
		&row{Name: "QEMU/TCG: first byte of hello", Unit: "ms", Limit: limit{"value", 110}, measure: measureQEMUStart},
	)
}

// measureAll measures the rows one after the other: a row's native and VM rounds
// alternate, so that both see the same state of the machine.
func measureAll(opts options) []*row {
	var measured []*row
	for _, r := range table() {
		if !opts.rows.MatchString(r.Name) {
			continue
		}
		if err := r.measure(opts, r); err != nil {
			r.Error = strings.TrimSpace(err.Error())
		}
		measured = append(measured, r)
		printRow(r)
	}
	return measured
}

func printRow(r *row) {
	if len(r.VM) == 0 {
		fmt.Printf("%-36s failed: %s\n", r.Name, r.Error)
		return
	}
	native, vm := r.Medians()
	verdict := ""
	if !r.meets() {
		verdict = "  missed"
	}
	nativeText := ""
	if len(r.Native) > 0 {
		nativeText = fmt.Sprintf("%.4g %s", native, r.Unit)
	}
	fmt.Printf("%-36s native %-12s VM %-12s %-12s limit %s%s\n", r.Name, nativeText, fmt.Sprintf("%.4g %s", vm, r.Unit), r.ratioText(), r.limitText(), verdict)
	if r.Error != "" {
		fmt.Printf("%36s %s\n", "", r.Error)
	}
}

// printTable prints the table as Markdown and returns how many rows miss their limit.
func printTable(rows []*row) (missed int) {
	fmt.Println("\n| what | native | VM | ratio | at most |")
	fmt.Println("|---|---|---|---|---|")
	for _, r := range rows {
		if len(r.VM) == 0 {
			missed++
			fmt.Printf("| %s | | not measured: %s | | %s |\n", r.Name, r.Error, r.limitText())
			continue
		}
		native, vm := r.Medians()
		nativeText := ""
		if len(r.Native) > 0 {
			nativeText = fmt.Sprintf("%.4g %s", native, r.Unit)
		}
		mark := ""
		if !r.meets() {
			missed++
			mark = " **missed**"
		}
		fmt.Printf("| %s | %s | %.4g %s | %s | %s%s |\n", r.Name, nativeText, vm, r.Unit, r.ratioText(), r.limitText(), mark)
	}
	fmt.Printf("\n%d of %d rows keep their limit\n", len(rows)-missed, len(rows))
	return missed
}
