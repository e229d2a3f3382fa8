package core

// ResizeQueues implements api.Engine.
func (e *Engine) ResizeQueues(entries, cqEntries int) error {
	if err := e.enterWait(); err != nil { // what it takes in would come behind what this Complete has yet to find
		return err
	}
	o, err := e.opt.Resized(entries, cqEntries)
	if err != nil {
		return err
	}
	if r, ok := e.drv.(Resizer); ok {
		e.settling = true
		err = r.Resize(&o)
		e.settling = false
	}
	if err == nil {
		e.opt = o
	}
	return err
}
