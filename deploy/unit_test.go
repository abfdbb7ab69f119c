package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grantd/grantd/config"
	commands "github.com/grantd/grantd/server/cli"
)

// exposure is the highest exposure level that systemd-analyze may report, in
// tenths of its scale from 0 to 10.
const exposure = "15"

func TestUnit(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := read(t, "grantd.service")
	if !strings.Contains(unit, "ExecStart=/usr/local/bin/grantd serve ") {
		t.Error("the unit does not start grantd")
	}
	if !strings.Contains(unit, "\nEnvironment=GRANTD_ADMIN_SOCKET="+commands.ServiceSocket+"\n") {
		t.Error("admin commands do not find the socket")
	}
	path := filepath.Join(t.TempDir(), "grantd.service")
	write(t, path, strings.ReplaceAll(unit, "/usr/local/bin/grantd", program)) // systemd requires an existing program
	for _, args := range [][]string{
		{"verify", "--man=no", path},
		{"security", "--offline=true", "--no-pager", "--threshold=" + exposure, path},
	} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestTimeToStop: service managers wait longer than the drain and the requests in
// progress take.
func TestTimeToStop(t *testing.T) {
	const requests = 20 * time.Second // see stopTimeout in server/cli
	needed := config.Defaults().Shutdown.Drain + requests
	for file, setting := range map[string]string{
		"grantd.service": `TimeoutStopSec=(\d+)`, "compose/redis.yaml": `stop_grace_period: (\d+)s`,
		"compose/sentinel.yaml": `stop_grace_period: (\d+)s`, "compose/cluster.yaml": `stop_grace_period: (\d+)s`,
	} {
		found := regexp.MustCompile(setting).FindStringSubmatch(read(t, file))
		if found == nil {
			t.Errorf("%s does not say how long to wait", file)
			continue
		}
		if seconds, _ := strconv.Atoi(found[1]); time.Duration(seconds)*time.Second <= needed {
			t.Errorf("%s waits %d s, want more than %v", file, seconds, needed)
		}
	}
}

// TestUnitSetsKeys: the variables of the unit and the image are configuration
// keys.
func TestUnitSetsKeys(t *testing.T) {
	keys := flatten(t, config.Defaults())
	variables := map[string]bool{"GRANTD_CONFIG": true}
	for key := range keys {
		variables["GRANTD_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = true
	}
	for _, file := range []string{"grantd.service", "Dockerfile"} {
		found := regexp.MustCompile(`GRANTD_[A-Z_]+`).FindAllString(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s sets nothing", file)
		}
		for _, name := range found {
			if !variables[name] {
				t.Errorf("%s sets %s, which is not a key", file, name)
			}
		}
	}
}
