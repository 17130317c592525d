#!/usr/bin/env bash
# Draws docs/ratios.svg from the table "What to expect" of README.md: a bar for each row, the ratio
# of btree to learned on a logarithmic scale. Run it after a change of the table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
awk -F ' *[|] *' '
    /^## / { here = $0 == "## What to expect" }
    here && /^[|]/ && $5 ~ /^[0-9.]+$/ { n++; work[n] = $2; ratio[n] = $5 }
    # Pixels right of the left end of the scale, which begins at 0.5.
    function place(x) { return 340 + (log(x) / log(2) + 1) * 72 }
    END {
        row = 22; top = 44; height = top + n * row + 12
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 %d\" ", height
        print "font-family=\"sans-serif\" font-size=\"12\">"
        printf "<rect width=\"760\" height=\"%d\" fill=\"#ffffff\"/>\n", height
        print "<text x=\"340\" y=\"16\" fill=\"#333333\">" \
            "times better than btree (left of 1: worse)</text>"
        for (tick = 0.5; tick <= 16; tick *= 2) {
            x = place(tick)
            printf "<line x1=\"%d\" y1=\"36\" x2=\"%d\" y2=\"%d\" stroke=\"%s\"/>\n", x, x,
                height - 8, tick == 1 ? "#333333" : "#dddddd"
            printf "<text x=\"%d\" y=\"32\" text-anchor=\"middle\" fill=\"#333333\">%s</text>\n",
                x, tick
        }
        for (i = 1; i <= n; i++) {
            y = top + (i - 1) * row
            one = place(1); end = place(ratio[i])
            left = end < one ? end : one
            width = end < one ? one - end : end - one
            printf "<text x=\"332\" y=\"%d\" text-anchor=\"end\" fill=\"#333333\">%s</text>\n",
                y + 12, work[i]
            printf "<rect x=\"%.0f\" y=\"%d\" width=\"%.0f\" height=\"15\" fill=\"%s\"/>\n",
                left, y, width < 1 ? 1 : width, ratio[i] < 1 ? "#c0504d" : "#4f81bd"
            printf "<text x=\"%.0f\" y=\"%d\" fill=\"#333333\">%s</text>\n",
                (end < one ? one : end) + 5, y + 12, ratio[i]
        }
        print "</svg>"
    }' ../README.md > ratios.svg
