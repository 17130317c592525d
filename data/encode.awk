# Writes flights.csv (departure,delay,distance,origin,destination; sorted by departure; with a
# header line) in the compact form that decode.awk reads; data/README.md describes it. Reads the
# whole file into memory:
#   LC_ALL=C awk -F, -f data/encode.awk flights.csv |
#       xz -k -c --lzma2=preset=9e,lc=3,pb=0 > data/flights.xz

# The code of number n: one printable character below `single`, else two.
function code(n, single) {
    return n < single ? ascii[n] : ascii[single + int((n - single) / 94)] ascii[(n - single) % 94]
}

# Sorts the keys of count[] into sorted[0 .. ], most frequent first (insertion sort: the lists are
# short).
function rank(count, sorted,    key, i, n) {
    n = 0
    for (key in count) {
        for (i = n++; i > 0 && (count[sorted[i - 1]] < count[key] ||
                                (count[sorted[i - 1]] == count[key] && sorted[i - 1] > key)); i--)
            sorted[i] = sorted[i - 1]
        sorted[i] = key
    }
    return n
}

BEGIN { for (i = 0; i < 94; i++) ascii[i] = sprintf("%c", 33 + i) }

NR > 1 {
    minute[NR] = $1 / 60; delay[NR] = $2; origin[NR] = $4; destination[NR] = $5
    if ($4 in last) next_of[last[$4]] = NR; else first[$4] = NR
    last[$4] = NR
    delays[$2]++; origins[$4]++; routes[$4 "," $5]++; distance[$4 "," $5] = $3
}

END {
    nd = rank(delays, delay_of); for (i = 0; i < nd; i++) delay_rank[delay_of[i]] = i
    no = rank(origins, origin_of); for (i = 0; i < no; i++) origin_rank[origin_of[i]] = i
    nr = rank(routes, route_of)
    for (i = 0; i < nr; i++) {
        split(route_of[i], od, ","); o = origin_rank[od[1]]
        destination_rank[route_of[i]] = fan[o]++
        list[o] = list[o] " " od[2] " " distance[route_of[i]]
    }
    print "flights 1", NR - 1, minute[2], nd, no
    for (i = 0; i < nd; i++) printf "%s%s", delay_of[i], i + 1 < nd ? " " : "\n"
    for (i = 0; i < no; i++) print origin_of[i] list[i]
    previous = minute[2]
    for (i = 2; i <= NR; i = j) {
        for (j = i; j <= NR && minute[j] == minute[i]; j++);
        printf "%s%s", code(minute[i] - previous, 60), code(j - i - 1, 88)
        previous = minute[i]
    }
    print ""
    for (i = 2; i <= NR; i++) printf "%s", code(origin_rank[origin[i]], 90)
    print ""
    for (i = 2; i <= NR; i++) printf "%s", code(delay_rank[delay[i]], 70)
    print ""
    # One line of destinations an origin: the next flight from there takes the next code.
    for (o = 0; o < no; o++) {
        for (i = first[origin_of[o]]; i; i = next_of[i])
            printf "%s", code(destination_rank[origin[i] "," destination[i]], 88)
        print ""
    }
}
