# Reads `go test -v ./...`, prints its line for each package that passed, and
# for one that failed all that it said. A skipped test is a failure: nobody
# would miss it otherwise. The exit status of a failed run is go test's own.

/^=== (RUN|PAUSE|CONT|NAME)/ || /^ *--- PASS:/ { next }
/^ *--- SKIP:/ {
	skipped = skipped "  " $3 (last ~ /\.go:[0-9]+:/ ? ":" last : "") "\n"
}
{ said = said $0 "\n"; last = $0 }
/^ok  *\t/ { print; said = "" }
/^\?  *\t/ { said = "" }
/^FAIL\t/ { printf "%s", said; said = "" }
{ fflush() }

END {
	printf "%s", said
	if (skipped != "") {
		printf "skipped, and a skipped test is a failing test:\n%sFAIL\n", skipped
		exit 1
	}
}
