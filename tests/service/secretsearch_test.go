package service_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// random is the length of the random part of a credential.
const random = 43

// credentials holds what must not be found anywhere, by name.
type credentials map[string]string

// forms returns the forms in which a credential could appear.
func forms(credential string) map[string][]byte {
	all := map[string][]byte{
		"plain":      []byte(credential),
		"hex":        []byte(hex.EncodeToString([]byte(credential))),
		"escaped":    []byte(url.QueryEscape(credential)),
		"base64":     unpadded(credential),
		"base64 (1)": unpadded(credential[2:]), // as the end of id:secret, whose
		"base64 (2)": unpadded(credential[1:]), // beginning shifts the letters
	}
	if len(credential) > random {
		part := credential[len(credential)-random:]
		all["random part"] = []byte(part)
		if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			all["random bytes"] = raw
		}
	}
	return all
}

// unpadded leaves out the last letters, which depend on what follows.
func unpadded(s string) []byte {
	b := base64.StdEncoding.EncodeToString([]byte(s[:len(s)/3*3]))
	return []byte(b)
}

// find returns which credentials are in the text, and in which form.
func (c credentials) find(text []byte) (found []string) {
	for name, credential := range c {
		for how, form := range forms(credential) {
			if bytes.Contains(text, form) {
				found = append(found, name+", "+how)
			}
		}
	}
	return found
}

// absent checks that none of them is in the text. It also checks that the text
// holds control, so that it is the right text.
func (c credentials) absent(t *testing.T, where string, text []byte, control string) {
	t.Helper()
	if !bytes.Contains(text, []byte(control)) {
		t.Errorf("%s (%d bytes) does not hold %q: this test searches the wrong text", where, len(text), control)
	}
	for _, f := range c.find(text) {
		t.Errorf("%s holds a credential: %s", where, f)
	}
}

// everything returns the bytes of all files below the folder.
func everything(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(append(all, path...), b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSecretSearch checks that the search finds each form.
func TestSecretSearch(t *testing.T) {
	t.Parallel()
	secret := "gs_sandbox_Ab3dEf7h_" + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xa5, 0x17}, 16))
	c := credentials{"it": secret}
	raw, err := base64.RawURLEncoding.DecodeString(secret[len(secret)-random:])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"plain": []byte(secret), "bytes": raw, "hex": []byte(hex.EncodeToString([]byte(secret))),
		"basic a":   []byte("Basic " + base64.StdEncoding.EncodeToString([]byte("a:"+secret))),
		"basic ab":  []byte("Basic " + base64.StdEncoding.EncodeToString([]byte("ab:"+secret))),
		"basic abc": []byte("Basic " + base64.StdEncoding.EncodeToString([]byte("abc:"+secret))),
	} {
		if len(c.find(append([]byte("before "), text...))) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	if found := c.find([]byte("gs_sandbox_Ab3dEf7h_ and nothing else")); len(found) > 0 {
		t.Errorf("found where it is not: %s", found)
	}
}
