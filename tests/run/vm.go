package main

import "burrow/tests/machine"

// runVM runs every case of tests/vm on every platform.
func runVM(opts options, report *report) error {
	programs, err := buildSuite(opts, "vm", report)
	if err != nil {
		return err
	}
	var tasks []task
	for _, p := range programs {
		for _, c := range p.cases {
			for _, platform := range opts.platforms {
				if len(c.platforms) == 0 || containsPlatform(c.platforms, platform) {
					tasks = append(tasks, vmTask(opts, p, c, platform))
				}
			}
		}
	}
	tasks = append(tasks, hostileTasks(opts)...)
	runTasks(opts, report, tasks)
	return nil
}

func vmTask(opts options, p program, c testCase, platform machine.Platform) task {
	t := task{name: taskName("vm", p.test, c.name, platform), alone: c.alone}
	if reason := c.skips[platform]; reason != "" {
		t.skip = reason
	} else if c.long && !opts.long {
		t.skip = "only in make test-long"
	}
	t.run = func() string { return repeatCase(platform, opts.root, p.path, c) }
	return t
}

func containsPlatform(list []machine.Platform, platform machine.Platform) bool {
	for _, item := range list {
		if item == platform {
			return true
		}
	}
	return false
}
