package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/grantd/grantd/store"
	"github.com/grantd/grantd/store/storetest"
)

// refusedOpen fails unless Open returns an error of one line that wraps is and
// contains want.
func refusedOpen(t *testing.T, folder string, is error, want string) {
	t.Helper()
	s, err := Open(Options{Path: folder})
	if err == nil {
		closeStore(t, s)
		t.Fatal("opened")
	}
	oneLine(t, err, is, want)
}

// oneLine fails unless err is of one line, wraps is and contains want.
func oneLine(t *testing.T, err, is error, want string) {
	t.Helper()
	if !errors.Is(err, is) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %q\nwant one line that wraps %q and says %q", err, is, want)
	}
}

func TestOpenWhileAnotherProcessHasIt(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, storetest.NewClock())
	start := time.Now()
	refusedOpen(t, folder, store.ErrUnavailable, "another grantd has it open: stop that one")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the first one: %v", err)
	}
	closeStore(t, s)
	closeStore(t, open(t, folder, storetest.NewClock()))
}

func TestOpenMakesPrivateFolderAndFile(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	open(t, folder, storetest.NewClock())
	for path, want := range map[string]os.FileMode{folder: 0o700, filepath.Join(folder, fileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

// folderInfo is a folder of any user.
type folderInfo struct {
	os.FileInfo
	mode     os.FileMode
	uid, gid uint32
}

func (f folderInfo) Mode() os.FileMode { return f.mode | os.ModeDir }
func (f folderInfo) Sys() any          { return &syscall.Stat_t{Uid: f.uid, Gid: f.gid} }

// TestFolderThatOthersCanWriteTo has folders of this user, and of another one, as
// containers and an attacker make them.
func TestFolderThatOthersCanWriteTo(t *testing.T) {
	self := uint32(os.Geteuid())
	other := self + 1
	for _, tc := range []struct {
		name   string
		folder folderInfo
		want   string // level of the line; "": none
	}{
		{"private", folderInfo{mode: 0o700, uid: self, gid: 7}, ""},
		{"readable", folderInfo{mode: 0o755, uid: self, gid: 7}, ""},
		{"group", folderInfo{mode: 0o770, uid: self, gid: 7}, "WARN"},
		{"group 0", folderInfo{mode: 0o770, uid: self, gid: 0}, ""},
		{"everybody", folderInfo{mode: 0o777, uid: self, gid: 0}, "WARN"},
		{"of another: group (fsGroup)", folderInfo{mode: 0o770 | os.ModeSetgid, uid: other, gid: 7}, ""},
		{"of another: everybody (emptyDir)", folderInfo{mode: 0o777, uid: other, gid: 0}, "INFO"},
		{"of another: everybody but the group", folderInfo{mode: 0o707, uid: other, gid: 7}, "INFO"},
		{"of another: sticky", folderInfo{mode: 0o777 | os.ModeSticky, uid: other, gid: 0}, ""},
	} {
		var log bytes.Buffer
		logOpenFolder(slog.New(slog.NewTextHandler(&log, nil)), "data", tc.folder)
		if got := log.String(); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) || (tc.want == "INFO") != strings.Contains(got, "emptyDir") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestOpenLogsAnOpenFolder: the folder is looked at before the file is opened.
func TestOpenLogsAnOpenFolder(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := Open(Options{Path: folder, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if !strings.Contains(log.String(), "other users can write to the store's folder: run chmod 700") {
		t.Error(log.String())
	}
}

func TestOpenWhereNoFolderIsPossible(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refusedOpen(t, file, store.ErrUnavailable, "not a directory")
	refusedOpen(t, filepath.Join(file, "below"), store.ErrUnavailable, "not a directory")
}

func TestOpenOfADamagedFile(t *testing.T) {
	text := []byte(strings.Repeat("this is not a database\n", 1000))
	for name, content := range map[string][]byte{"text": text, "short": text[:10], "zeroes": make([]byte, 64<<10)} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, fileName)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			refusedOpen(t, folder, store.ErrUnsuitable, path+" is damaged or not a database of grantd")
		})
	}
}

func TestOpenOfATruncatedFile(t *testing.T) {
	folder, clock := t.TempDir(), storetest.NewClock()
	s := open(t, folder, clock)
	putMany(t, s, 3000, clock.Now())
	closeStore(t, s)
	path := filepath.Join(folder, fileName)
	for _, size := range []int64{100_000, 20_000, 9000} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		refusedOpen(t, folder, store.ErrUnsuitable, "damaged")
	}
}

// otherFile makes a bbolt file with one bucket and one key, and returns its
// folder.
func otherFile(t *testing.T, bucket, key, value []byte) string {
	t.Helper()
	folder := t.TempDir()
	db, err := bbolt.Open(filepath.Join(folder, fileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		return b.Put(key, value)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestOpenOfAnotherProgramsFile(t *testing.T) {
	refusedOpen(t, otherFile(t, []byte("key"), []byte("a"), []byte("b")), store.ErrUnsuitable, "another program")
	refusedOpen(t, otherFile(t, bucketMeta, []byte("a"), []byte("b")), store.ErrUnsuitable, "another program")
}

func TestOpenOfANewerFile(t *testing.T) {
	folder := otherFile(t, bucketMeta, keyLayout, number(layout+1))
	refusedOpen(t, folder, store.ErrNewerFormat, "written by a newer grantd")
}

// TestOpenOfAnOlderFile: opening an older file makes the buckets that it lacks,
// and keeps its records.
func TestOpenOfAnOlderFile(t *testing.T) {
	folder, clock := t.TempDir(), storetest.NewClock()
	s := open(t, folder, clock)
	client := store.Client{ID: "a", Head: store.Head{Version: 1}}
	if err := s.Clients().Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	was, err := s.FeedLineage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketOrgs, bucketCustomers, bucketChallenges, bucketGuesses} {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	s = open(t, folder, clock)
	if got, err := s.Clients().Get(t.Context(), "a"); err != nil || !cmp.Equal(got, client) {
		t.Errorf("client %+v, error %v", got, err)
	}
	if is, err := s.FeedLineage(t.Context()); err != nil || is != was {
		t.Errorf("lineage %+v, error %v, want %+v", is, err, was)
	}
	if _, _, err := s.TakeGuess(t.Context(), "a", store.GuessBounds{Window: time.Hour, Today: 1, InRow: 1}); err != nil {
		t.Error(err)
	}
	if err := errors.Join(
		s.Orgs().Create(t.Context(), store.Org{ID: "a"}),
		s.Customers().Create(t.Context(), store.Customer{ID: "a"}),
		s.PutChallenge(t.Context(), store.Digest{1}, store.Challenge{Tries: 1, ExpiresAt: clock.Now().Add(time.Hour)}),
	); err != nil {
		t.Error(err)
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if n := numberOf(meta(tx).Get(keyLayout)); n != 1 {
			t.Errorf("layout %d: an older grantd could not open the file any more", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLineageBelongsToTheFile(t *testing.T) {
	folder, clock := t.TempDir(), storetest.NewClock()
	lineage := func(folder string) string {
		s := open(t, folder, clock)
		defer closeStore(t, s)
		l, err := s.FeedLineage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l.Current
	}
	first := lineage(folder)
	if again := lineage(folder); again != first {
		t.Errorf("opened again: %q, then %q", first, again)
	}
	if other := lineage(t.TempDir()); other == first {
		t.Errorf("another file has the same lineage %q", other)
	}
}
