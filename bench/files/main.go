// Measures files: each row as a plain process and in a VM, in turn, in the same run; medians and
// ratios.
//
//	files [-platform kvm|qemu] [-rounds N] [-rows REGEXP] [-dir DIR] [-json FILE] [-strict]
//
// DIR is on the disk that is measured; some 4 GiB are needed there. Let the machine be quiet.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"

	"burrow/tests/machine"
)

type options struct {
	root, programs, dir string
	platform            machine.Platform
	rounds              int
}

// row is one line of the table: what gives a figure natively and in a VM, and what ratio is wanted.
type row struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	AtLeast float64 `json:"atLeast"` // of native; 0: only told
	// Instead: not more than so much above the left figure, which need not be native then.
	AtMostMore float64   `json:"atMostMore,omitempty"`
	Native     []float64 `json:"native"`
	VM         []float64 `json:"vm"`
	Error      string    `json:"error,omitempty"`

	measure func(o options, inVM bool) (float64, error)
}

func main() {
	platform := flag.String("platform", "kvm", "kvm or qemu")
	rounds := flag.Int("rounds", 3, "how often each row is measured")
	names := flag.String("rows", "", "only rows whose name matches")
	dir := flag.String("dir", "", "a directory on the disk (default: build/bench)")
	jsonPath := flag.String("json", "", "also write the results to this file")
	strict := flag.Bool("strict", false, "a status of 1 if a row misses what it should reach")
	flag.Parse()
	root, err := machine.Root()
	exitOn(err)
	wanted, err := regexp.Compile(*names)
	exitOn(err)
	o := options{root: root, programs: filepath.Join(root, "build", "bench"), dir: *dir,
		platform: machine.Platform(*platform), rounds: *rounds}
	if why := machine.Unusable(o.platform, root); why != "" {
		exitOn(fmt.Errorf("platform %s: %s", o.platform, why))
	}
	exitOn(os.MkdirAll(o.programs, 0o755))
	if o.dir == "" {
		o.dir = o.programs
	}
	o.dir, err = os.MkdirTemp(o.dir, "files-")
	exitOn(err)
	defer os.RemoveAll(o.dir)
	build := machine.GoCommand(root, "bench", "build", "-buildvcs=false", "-o", o.programs+"/", "./programs/...")
	if output, err := build.CombinedOutput(); err != nil {
		exitOn(fmt.Errorf("programs do not build: %v\n%s", err, output))
	}
	missed := run(o, table(), wanted, *jsonPath)
	fmt.Printf("\n%d rows miss what they should reach\n", missed)
	if *strict && missed > 0 {
		os.RemoveAll(o.dir)
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-files:", err)
		os.Exit(2)
	}
}

func run(o options, rows []*row, wanted *regexp.Regexp, jsonPath string) (missed int) {
	fmt.Printf("| what | native | VM | ratio | wanted |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		if !wanted.MatchString(r.Name) {
			continue
		}
		r.run(o)
		if !r.print() {
			missed++
		}
	}
	if jsonPath != "" {
		content, err := json.MarshalIndent(rows, "", " ")
		exitOn(err)
		exitOn(os.WriteFile(jsonPath, append(content, '\n'), 0o644))
	}
	return missed
}

func (r *row) run(o options) {
	for round := 0; round < o.rounds; round++ {
		for _, inVM := range []bool{false, true} {
			figure, err := r.measure(o, inVM)
			if err != nil {
				r.Error = err.Error()
				return
			}
			if inVM {
				r.VM = append(r.VM, figure)
			} else {
				r.Native = append(r.Native, figure)
			}
		}
	}
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[len(sorted)/2]
}

// print writes the line and says whether the row reached its aim.
func (r *row) print() bool {
	if r.Error != "" {
		fmt.Printf("| %s | | | | not measured: %s |\n", r.Name, r.Error)
		return r.AtLeast == 0 && r.AtMostMore == 0
	}
	native, vm := median(r.Native), median(r.VM)
	aim, verdict := "", true
	if r.AtLeast > 0 {
		verdict = vm >= r.AtLeast*native
		aim = fmt.Sprintf("≥ %.2g", r.AtLeast)
		if !verdict {
			aim += " missed"
		}
	}
	if r.AtMostMore > 0 {
		verdict = vm <= native+r.AtMostMore
		aim = fmt.Sprintf("≤ + %.2g", r.AtMostMore)
		if !verdict {
			aim += " missed"
		}
		fmt.Printf("| %s | %.2f %s | %.2f %s | %+.2f | %s |\n", r.Name, native, r.Unit, vm, r.Unit, vm-native, aim)
		return verdict
	}
	fmt.Printf("| %s | %.0f %s | %.0f %s | %.2f | %s |\n", r.Name, native, r.Unit, vm, r.Unit, vm/native, aim)
	return verdict
}

// table is all rows; each kind of file has its own file here.
func table() []*row {
	return append(imageRows(), diskRows()...)
}
