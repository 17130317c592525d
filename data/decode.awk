# Reads the compact form of the flights (described in data/README.md) and prints the rows as CSV
# without a header:
#   xz -dc data/flights.xz | LC_ALL=C awk -f data/decode.awk

# The next number of the stream `name`; codes from `single` on take two characters.
function next_code(name, single,    n) {
    n = value[substr(text[name], ++at[name], 1)]
    return n < single ? n : single + (n - single) * 94 + value[substr(text[name], ++at[name], 1)]
}

BEGIN { for (i = 0; i < 94; i++) value[sprintf("%c", 33 + i)] = i }

NR == 1 { if ($1 " " $2 != "flights 1") { print "not a file of flights" > "/dev/stderr"; exit 1 }
          rows = $3; minute = $4; origins = $6; next }
NR == 2 { split($0, delay, " "); next }
NR <= 2 + origins {
    o = NR - 3; origin[o] = $1
    for (i = 2; i < NF; i += 2) route[o, i / 2 - 1] = $(i + 1) "," $1 "," $i
    next
}
NR == 3 + origins { text["minute"] = $0; next }
NR == 4 + origins { text["origin"] = $0; next }
NR == 5 + origins { text["delay"] = $0; next }
{ text[NR - 6 - origins] = $0 }

END {
    for (i = 0; i < rows; i++) {
        if (!left) { minute += next_code("minute", 60); left = next_code("minute", 88) + 1 }
        left--
        o = next_code("origin", 90)
        print minute * 60 "," delay[next_code("delay", 70) + 1] "," route[o, next_code(o, 88)]
    }
}
