# Reads `go test -v ./...`, prints its line for each package that passed, and
# for one that failed all that it said. A skipped test is a failure: nobody
# would miss it otherwise. The exit status of a failed run is go test's own.
# Lines are kept one by one: a package that runs out of time says a line for each
# goroutine, and one long text would be copied for each of them.

/^=== (RUN|PAUSE|CONT|NAME)/ || /^ *--- PASS:/ { next }
/^ *--- SKIP:/ {
	skipped = skipped "  " $3 (last ~ /\.go:[0-9]+:/ ? ":" last : "") "\n"
}
{ said[++n] = $0; last = $0 }
/^ok  *\t/ { print; n = 0 }
/^\?  *\t/ { n = 0 }
/^FAIL\t/ { tell() }
{ fflush() }

function tell(i) {
	for (i = 1; i <= n; i++) print said[i]
	n = 0
}

END {
	tell()
	if (skipped != "") {
		printf "skipped, and a skipped test is a failing test:\n%sFAIL\n", skipped
		exit 1
	}
}
