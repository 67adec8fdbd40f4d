package emamw

import (
	"strconv"
	"testing"
	"time"
)

// One caller who makes tasks without end pushes out nobody's but his own, and what
// is kept of them stays within its bound. Many callers push out the oldest.
func TestTasksOfOneCallerPushOutHisOwn(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	table := newTasks(func() time.Time { return now })
	table.add("hers", "alice", ruleSet{})
	for i := range 3 * maxTasks {
		table.add("his "+strconv.Itoa(i), "mallory", ruleSet{})
		if len(table.oldest) > 2*maxTasks {
			t.Fatalf("%d ids are kept", len(table.oldest))
		}
	}
	if !table.owns("hers", "alice") {
		t.Error("alice's task was pushed out")
	}
	last := "his " + strconv.Itoa(3*maxTasks-1)
	if !table.owns(last, "mallory") || table.owns("his 0", "mallory") || len(table.own["mallory"]) != maxOwnTasks {
		t.Errorf("of mallory's tasks %d are kept", len(table.own["mallory"]))
	}
	for i := range maxTasks {
		table.add("of many "+strconv.Itoa(i), "caller "+strconv.Itoa(i), ruleSet{})
	}
	if table.owns("hers", "alice") || len(table.owners) > maxTasks {
		t.Errorf("%d tasks are kept", len(table.owners))
	}
	now = now.Add(taskLife)
	table.add("later", "alice", ruleSet{})
	if len(table.owners) != 1 || len(table.oldest) != 1 || len(table.own) != 1 {
		t.Errorf("after a day %d tasks are kept, by %d ids, of %d callers", len(table.owners), len(table.oldest), len(table.own))
	}
}
