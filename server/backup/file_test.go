package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grantd/grantd/server/backup"
	"github.com/grantd/grantd/store"
)

// TestDamagedFiles changes a file in every place: it is refused as a whole.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	s := onFile(t)
	fill(t, s)
	file := export(t, s)
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		if _, err := backup.Verify(bytes.NewReader(changed)); err == nil && !bytes.Contains(file[i:], []byte("\n")) {
			continue // the last line may differ in form
		} else if err == nil {
			t.Fatalf("byte %d of %d was changed from %q to %q, and the file is accepted", i, len(file), file[i], changed[i])
		}
	}
	for i := range len(file) - 1 {
		if _, err := backup.Verify(bytes.NewReader(file[:i])); err == nil {
			t.Fatalf("a file of %d of %d bytes is accepted", i, len(file))
		}
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "text": []byte("hello\n"), "JSON": []byte("{}\n"), "an end alone": []byte(`{"end":{"sha256":""}}` + "\n"),
		"two files": append(bytes.Clone(file), file...), "a long line": bytes.Repeat([]byte{'x'}, 9<<20),
		"a longer file": append(bytes.Clone(file), '{', '}', '\n'),
	} {
		_, err := backup.Verify(bytes.NewReader(content))
		wants(t, name, err, backup.ErrFile)
	}
}

func TestFilesOfANewerGrantd(t *testing.T) {
	t.Parallel()
	for _, header := range []string{
		fmt.Sprintf(`{"grantd_backup":%d,"made_by":"v9"}`, backup.FileVersion+1),
		fmt.Sprintf(`{"grantd_backup":%d,"format":%d,"made_by":"v9"}`, backup.FileVersion, store.Format+1),
	} {
		_, err := backup.NewReader(strings.NewReader(header + "\n"))
		wants(t, header, err, store.ErrNewerFormat)
		if !strings.Contains(err.Error(), "use the grantd that made it (v9)") {
			t.Errorf("%v does not say what to do", err)
		}
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	s := onFile(t)
	fill(t, s)
	folder := t.TempDir()
	path := filepath.Join(folder, "grantd.backup")
	write := func(w io.Writer) error {
		_, err := backup.Export(t.Context(), s, w, options)
		return err
	}
	_, err := backup.WriteFile(path, false, func(io.Writer) error { return store.ErrUnavailable })
	wants(t, "a copy that fails", err, store.ErrUnavailable)
	_, err = backup.WriteFile(path, false, func(w io.Writer) error { _, err := io.WriteString(w, "half"); return err })
	wants(t, "a copy that is cut", err, backup.ErrFile)
	names(t, folder)
	sum, err := backup.WriteFile(path, false, write)
	ok(t, err)
	info, err := os.Stat(path)
	ok(t, err)
	if info.Mode() != 0o600 || info.Size() != sum.Bytes || sum.Counts[store.SectionClients] != 2 {
		t.Errorf("mode %s, size %d, summary %+v", info.Mode(), info.Size(), sum)
	}
	_, err = backup.WriteFile(path, false, write)
	wants(t, "a file that is there", err, fs.ErrExist)
	ok(t, s.Clients().Create(t.Context(), store.Client{ID: "c", Head: head()}))
	if sum, err = backup.WriteFile(path, true, write); err != nil || sum.Counts[store.SectionClients] != 3 {
		t.Errorf("with force: %+v, %v", sum, err)
	}
	_, err = backup.WriteFile(path, true, func(io.Writer) error { return errors.New("full") })
	if _, still := backup.WriteFile(path, false, write); err == nil || !errors.Is(still, fs.ErrExist) {
		t.Errorf("a copy that fails removed the one before: %v", still)
	}
	names(t, folder, "grantd.backup")
}

// names fails unless the folder has exactly these files.
func names(t *testing.T, folder string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(folder)
	ok(t, err)
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("files %v, want %v", got, want)
	}
}
