package script

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// whole has one of each word of the language.
const whole = `pair tcp a b
pair unix c d
pipe in r w
pipe out x y
file f 8192
listener l
group g 4x64
pair udp u v
submit recv c 100 deadline=1ms tag=1 waitall
submit recv a 0 deadline=never tag=2 dontwait eof ; recvbuffer c group=g tag=3
submit recvmulti a group=g tag=4
submit cancel of=4 tag=5 link ; nop tag=6 hardlink drain skip ; nop tag=29
submit timeout never count=2 tag=7 ok
peer write b 300
submit send a 100 tag=8 ; send c huge tag=9 waitall
peer drain b 50
peer drain b all
submit read f 512 off=0 tag=10 link ; write f 512 tag=11 ; fsync f tag=12
submit read r 10 tag=13 link ; linktimeout 2ms tag=14 ; write x huge tag=15
submit accept l tag=16 ; acceptmulti l tag=17 ; poll a in tag=18 ; poll x out tag=19
peer dial l
release
submit timeout now tag=20 ; timeout 3ms tag=21
submit remove of=7 tag=22 ; cancelfd l tag=23 ; cancelany tag=24
submit shutdown a wr tag=25 ; shutdown c both tag=26
peer halfclose d
peer reset b
peer close w
submit close a tag=27 link ; close f tag=28
`

// TestRoundTrip: Format and Parse are inverse to each other.
func TestRoundTrip(t *testing.T) {
	p, err := Parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	if got := Format(p); got != whole {
		t.Errorf("Format(Parse(s)) is\n%s\nwant\n%s", got, whole)
	}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := Generate(r.IntN)
		text := Format(p)
		q, err := Parse(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("seed %d: Parse(Format(p)) is not p:\n%s\n%s", seed, text, Format(q))
		}
	}
}

// TestWholeHasAll: the program above has each verb and each flag.
func TestWholeHasAll(t *testing.T) {
	for v := Nop; int(v) < len(verbs); v++ {
		if !strings.Contains(whole, " "+v.String()+" ") {
			t.Errorf("the verb %v is missing", v)
		}
	}
	for _, f := range flagNames {
		if !strings.Contains(whole, " "+f) {
			t.Errorf("the flag %s is missing", f)
		}
	}
}

// TestGenerateCovers: programs that are generated have all verbs, steps, kinds of objects and flags.
func TestGenerateCovers(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(2000) {
		for _, w := range strings.Fields(Format(Generate(rand.New(rand.NewPCG(seed, 2)).IntN))) {
			seen[w]++
		}
	}
	words := append([]string{"tcp", "udp", "unix", "in", "out", "file", "listener", "group", "release", "huge", "never", "now", "rd", "wr", "both", "all"}, flagNames[:]...)
	for v := Nop; int(v) < len(verbs); v++ {
		words = append(words, v.String())
	}
	for k := Submit; k <= Release; k++ {
		words = append(words, stepNames[k])
	}
	for _, w := range words {
		if seen[w] < 5 {
			t.Errorf("%q came %d times in 2000 programs", w, seen[w])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		why  string
	}{
		{"bogus", 1, "begins no line"},
		{"pair tcp a", 1, "takes 2 words"},
		{"pair tcp a a", 1, "two of it"},
		{"file f 0100", 1, "no number"},
		{"\n# only this\nfile f 99999", 3, "at most"},
		{"group g 3x10", 1, "power of two"},
		{"submit", 1, "missing"},
		{"submit nop", 1, "tag of its own"},
		{"submit nop tag=1 ; nop tag=1", 1, "tag of its own"},
		{"submit nop tag=1 link", 1, "linked to nothing"},
		{"submit nop tag=1 waitall", 1, "flags"},
		{"submit nop tag=1 drain drain", 1, "comes twice"},
		{"submit cancel of=1 tag=2", 1, "no operation 1"},
		{"pair tcp a b\nsubmit recv b 10 tag=1", 2, "no object"},
		{"pair tcp a b\npeer write a 10", 2, "no end of a peer"},
		{"pair tcp a b\npeer close b\npeer write b 10", 3, "closed"},
		{"pair tcp a b\nsubmit send a huge tag=1", 2, "huge"},
		{"pair udp a b\nsubmit send a huge tag=1 waitall", 2, "huge"},
		{"pair udp a b\npeer close b", 2, "cannot"},
		{"pair udp a b\nsubmit shutdown a rd tag=1", 2, "no object"},
		{"pair tcp a b\nsubmit send a huge tag=1 waitall\npeer drain b 10", 3, "cannot"},
		{"pair tcp a b\nsubmit send a huge tag=1 waitall dontwait\nsubmit poll a out tag=2", 3, "a matter of luck"},
		{"pair tcp a b\nsubmit close a tag=1\nsubmit recv a 10 tag=2", 3, "closed"},
		{"pair tcp a b\nsubmit recv a 10 deadline=1ms tag=1 ; recv a 10 tag=2", 2, "matter of time"},
		{"submit timeout 1ms tag=1 ; cancel of=1 tag=2", 1, "matter of time"},
		{"submit timeout 9ms tag=1", 1, "no time"},
		{"submit timeout 1ms count=1 tag=1", 1, "goes with never"},
		{"submit nop tag=1\npair tcp a b", 2, "behind the first step"},
	} {
		_, err := Parse(c.text)
		var e *SyntaxError
		if !errors.As(err, &e) || e.Line != c.line || !strings.Contains(e.Reason, c.why) {
			t.Errorf("Parse(%q): %v, want line %d: … %s …", c.text, err, c.line, c.why)
		}
	}
}

// FuzzParse: no text makes Parse panic, and what it takes comes back from Format.
func FuzzParse(f *testing.F) {
	f.Add(whole)
	for seed := range uint64(10) {
		f.Add(Format(Generate(rand.New(rand.NewPCG(seed, 3)).IntN)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		q, err := Parse(Format(p))
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%v: Parse(Format(p)) is not p:\n%s", err, Format(p))
		}
	})
}
