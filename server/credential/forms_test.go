package credential

import (
	"errors"
	"strings"
	"testing"
)

// doorkeeperSecret has the form of the secrets that Doorkeeper makes.
const doorkeeperSecret = "rXDV5m_XkOI9XpEou_w-yW5A_Dby_EwHNg-5sHLnqnE"

// foreign are hashes of doorkeeperSecret that other programs made.
var foreign = map[string]string{
	"Passlib 1.7.4, SHA-256":       "$pbkdf2-sha256$29000$ImRsrTXm3FvrPSfkfO/d.w$XB2bP2brawNN1Vt/1mK2WK026nfZtfACBTDlTDAJ1/I",
	"Passlib 1.7.4, SHA-512":       "$pbkdf2-sha512$25000$KIVw7t0bIyQEIIRQqlVKaQ$XGKduQffDYaewCwrOa.mWv8zI27Zaf/0uzJkprWg.8MBUujlj/cGPPb4/Li3ajD9RvlDTMVmqqtIBktQYbtTyg",
	"go-crypt (Authelia), SHA-512": "$pbkdf2-sha512$310000$IJP8fYVSOUcDyjo2X3vY7Q$YkCa5mha.7wyrWgTXDhARGdGEa3wgVSyDTYw20k2uC0",
	"go-crypt (Authelia), Argon2":  "$argon2id$v=19$m=65536,t=3,p=4$mfVmZsTUwa1xGTrJc9Lr0w$ItXXN+T9s8KpAH1FRzWPBhuxTMeO3CsbCSiy2Gd4a40",
	"Ruby's Digest (Doorkeeper)":   "e7bdf5e21c4273f8d1c792935a862230869403a93a644544c030a1e580e69fc4",
}

func TestHashesOfOtherSystems(t *testing.T) {
	for name, hash := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, err := ParseImported(hash)
			if err != nil {
				t.Fatal(err)
			}
			if !MatchesImported(kept, doorkeeperSecret) {
				t.Error("the secret does not match")
			}
			if MatchesImported(kept, doorkeeperSecret[1:]) || MatchesImported(kept, "") {
				t.Error("another secret matches")
			}
			if again, err := ParseImported(kept); again != kept || err != nil {
				t.Errorf("what is stored is read as another hash: %v", err)
			}
			if !IsImported(kept) || strings.Contains(kept, ".") {
				t.Errorf("stored as %s", kept)
			}
		})
	}
}

// Spellings of one hash are stored in one form.
func TestSpellings(t *testing.T) {
	const bcrypt = "$2a$10$mKLOOJMBI/daJ6G6ndGmlOssMRsdXi5BcCICTVphb7LYHhxtjYULe"
	const salt, hash = "MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZ+++"
	const argon = "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + hash
	for _, row := range []struct{ written, kept string }{
		{bcrypt, bcrypt},
		{"{bcrypt}" + bcrypt, bcrypt},
		{argon, argon},
		{"{argon2}" + argon, argon},
		{"{argon2@SpringSecurity_v5_8}" + argon, argon},
		{"$pbkdf2-sha256$25000$" + salt + "$" + hash, "$pbkdf2-sha256$i=25000$" + salt + "$" + hash},
		{"$pbkdf2-sha256$i=25000$" + salt + "==$" + hash, "$pbkdf2-sha256$i=25000$" + salt + "$" + hash},
		{"$pbkdf2-sha256$i=25000,l=18$" + salt + "$" + hash, "$pbkdf2-sha256$i=25000$" + salt + "$" + hash},
		{"$pbkdf2-sha256$25000$" + salt + "$" + strings.ReplaceAll(hash, "+", "."), "$pbkdf2-sha256$i=25000$" + salt + "$" + hash},
		{strings.Repeat("AB", 32), strings.Repeat("ab", 32)},
	} {
		if kept, err := ParseImported(row.written); kept != row.kept || err != nil {
			t.Errorf("%s: %s, %v", row.written, kept, err)
		}
	}
	if !SameImported("$pbkdf2-sha512$100000$"+salt+"$"+hash, "$pbkdf2-sha512$i=100000$"+salt+"$"+hash) {
		t.Error("two spellings of one hash are not the same")
	}
	if SameImported("x", "x") || SameImported(argon, strings.Replace(argon, "t=2", "t=3", 1)) {
		t.Error("hashes that differ, or are none, are the same")
	}
}

// Each fault has its own message, which quotes nothing.
func TestHashFaults(t *testing.T) {
	const tail = "$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"
	for _, row := range []struct {
		hash string
		want error
	}{
		{"", errHashKind},
		{"s3cret", errHashKind},
		{"$2b", errHashKind},
		{"$1$abcdefgh$abcdefghijklmnopqrstuv", errHashKind},
		{"$6$rounds=5000$abc$def", errHashKind},
		{"sha256$" + strings.Repeat("a", 43), errHashKind}, // what grantd makes itself
		{"5f4dcc3b5aa765d61d8327deb882cf99", errHashHex},
		{strings.Repeat("a", 63), errHashHex},
		{strings.Repeat("a", 128), errHashHex},
		{strings.Repeat("a", 513), errHashLong},
		{"{noop}secret", errPlain},
		{"{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc", errSpringOwn},
		{"{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0", errSpringOwn},
		{"{scrypt}$e0801$8bWJ$", errSpringOwn},
		{"{bcrypt}secret", errHashKind},
		{"{bcrypt}{noop}secret", errPlain},
		{"$2b$10$" + strings.Repeat("a", 52), errBcrypt},
		{"$2b$10$" + strings.Repeat("a", 54), errBcrypt},
		{"$2b$10$" + strings.Repeat("-", 53), errBcrypt},
		{"$2b$xx$" + strings.Repeat("a", 53), errBcrypt},
		{"$2b$09$" + strings.Repeat("a", 53), errBcryptCost},
		{"$2b$13$" + strings.Repeat("a", 53), errBcryptCost},
		{"$pbkdf2$25000" + tail, errPBKDF2Kind},
		{"$pbkdf2-sha1$25000" + tail, errPBKDF2Kind},
		{"$pbkdf2-sha256$" + tail, errPBKDF2},
		{"$pbkdf2-sha256$+25000" + tail, errPBKDF2},
		{"$pbkdf2-sha256$25000,l=32" + tail, errPBKDF2},
		{"$pbkdf2-sha256$i=25000,l=016" + tail, errPBKDF2},
		{"$pbkdf2-sha256$i=25000,l=" + tail, errPBKDF2},
		{"$pbkdf2-sha256$l=16,i=25000" + tail, errPBKDF2},
		{"$pbkdf2-sha256$25000" + tail + "$", errPBKDF2},
		{"$pbkdf2-sha256$25000$MDEy\nMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", errPBKDF2},
		{"$pbkdf2-sha256$25000$MDEyMzQ1Njc4OWFiY2RlZ-$MDEyMzQ1Njc4OWFiY2RlZg", errPBKDF2},
		{"$pbkdf2-sha256$24999" + tail, errPBKDF2Cost},
		{"$pbkdf2-sha256$99999999999" + tail, errPBKDF2Cost},
		{"$pbkdf2-sha256$-25000" + tail, errPBKDF2Cost},
		{"$pbkdf2-sha256$25000$MDEyMzQ1$MDEyMzQ1Njc4OWFiY2RlZg", errHashLengths},
		{"$pbkdf2-sha256$25000$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1", errHashLengths},
		{"$argon2i$v=19$m=19456,t=2,p=1" + tail, errArgonKind},
		{"$argon2id$v=16$m=19456,t=2,p=1" + tail, errArgon},
		{"$argon2id$m=19456,t=2,p=1" + tail, errArgon},
		{"$argon2id$v=19$t=2,m=19456,p=1" + tail, errArgon},
		{"$argon2id$v=19$m=19456,t=2,p=1,keyid=x" + tail, errArgon},
		{"$argon2id$v=19$m=4294967297,t=2,p=1" + tail, errArgon},
		{"$argon2id$v=19$m=16384,t=2,p=1" + tail, errArgonCost}, // Spring's default
		{"$argon2id$v=19$m=19456,t=2,p=257" + tail, errArgonCost},
		{"$argon2id$v=19$m=65537,t=2,p=1" + tail, errArgonCost},
		{"$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1$MDEyMzQ1Njc4OWFiY2RlZg", errHashLengths},
	} {
		if kept, err := ParseImported(row.hash); !errors.Is(err, row.want) || kept != "" {
			t.Errorf("%s: %v, want: %v", row.hash, err, row.want)
		}
	}
}

// A digest that costs nothing is no protection for a secret that was thought up.
func TestSHA256OfShortSecrets(t *testing.T) {
	for length := range 40 {
		secret := strings.Repeat("x", length)
		if got := MatchesImported(hexSHA256(secret), secret); got != (length >= MinRandomLength) {
			t.Errorf("a secret of %d characters: %v", length, got)
		}
	}
	if !IsWeak(hexSHA256("")) {
		t.Error("it is not weak")
	}
}

func TestHashRandom(t *testing.T) {
	for secret, want := range map[string]bool{
		doorkeeperSecret: true, strings.Repeat("0a", 32): true, strings.Repeat("a", 31): false, "": false,
		"correct horse battery staple and more": false, strings.Repeat("a", MaxLength+1): false,
	} {
		hash, ok := HashRandom(secret)
		if ok != want || ok && !MatchesImported(hash, secret) {
			t.Errorf("%q: %q, %v", secret, hash, ok)
		}
	}
}

// bcrypt sees only 72 bytes, so a longer secret matches nothing.
func TestBcryptOfLongSecrets(t *testing.T) {
	const hash = "{bcrypt}$2a$10$mKLOOJMBI/daJ6G6ndGmlOssMRsdXi5BcCICTVphb7LYHhxtjYULe" // of xyz
	kept, err := ParseImported(hash)
	if err != nil || !IsBcrypt(hash) || !IsBcrypt(kept) || !MatchesImported(kept, "xyz") {
		t.Errorf("%s, %v", kept, err)
	}
	if IsBcrypt(hexSHA256("")) || IsBcrypt("x") {
		t.Error("another hash is bcrypt")
	}
}

// No hash makes the parser panic, what it returns has one form, and no message
// quotes the hash.
func FuzzParseImported(f *testing.F) {
	for _, hash := range foreign {
		f.Add(hash)
	}
	f.Add("{bcrypt}$2a$10$mKLOOJMBI/daJ6G6ndGmlOssMRsdXi5BcCICTVphb7LYHhxtjYULe")
	f.Add("{noop}x")
	f.Add("$pbkdf2-sha256$i=25000,l=16$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg")
	f.Fuzz(func(t *testing.T, hash string) {
		kept, err := ParseImported(hash)
		if err != nil {
			if len(hash) > 12 && strings.Contains(err.Error(), hash) {
				t.Errorf("the error quotes the hash: %v", err)
			}
			return
		}
		if again, err := ParseImported(kept); again != kept || err != nil || !IsImported(kept) || !SameImported(kept, withoutSpring(hash)) {
			t.Errorf("%q is stored as %q and read again as %q, %v", hash, kept, again, err)
		}
	})
}
