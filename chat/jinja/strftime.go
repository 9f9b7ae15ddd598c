package jinja

import (
	"fmt"
	"strings"
)

// strftime is Python's datetime.strftime in the C locale, of the time that the
// program is given.
func (c *call) strftime(format string) string {
	now := c.in.now
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		pad := true // glibc's %-d leaves the padding out
		if format[i] == '-' && i+1 < len(format) {
			pad = false
			i++
		}
		number := func(n, width int) {
			if !pad {
				width = 1
			}
			fmt.Fprintf(&b, "%0*d", width, n)
		}
		hour12 := (now.Hour()+11)%12 + 1
		isoYear, isoWeek := now.ISOWeek()
		weekday := int(now.Weekday())
		switch format[i] {
		case 'Y':
			number(now.Year(), 4)
		case 'C':
			number(now.Year()/100, 2)
		case 'y':
			number(now.Year()%100, 2)
		case 'm':
			number(int(now.Month()), 2)
		case 'd':
			number(now.Day(), 2)
		case 'e':
			if pad {
				fmt.Fprintf(&b, "%2d", now.Day())
			} else {
				fmt.Fprint(&b, now.Day())
			}
		case 'H':
			number(now.Hour(), 2)
		case 'I':
			number(hour12, 2)
		case 'M':
			number(now.Minute(), 2)
		case 'S':
			number(now.Second(), 2)
		case 'f':
			number(now.Nanosecond()/1000, 6)
		case 'j':
			number(now.YearDay(), 3)
		case 'G':
			number(isoYear, 4)
		case 'V':
			number(isoWeek, 2)
		case 'U':
			number((now.YearDay()+6-weekday)/7, 2)
		case 'W':
			number((now.YearDay()+6-(weekday+6)%7)/7, 2)
		case 'w':
			number(weekday, 1)
		case 'u':
			number((weekday+6)%7+1, 1)
		case 's':
			fmt.Fprint(&b, now.Unix())
		default:
			layout, ok := layouts[format[i]]
			if !ok { // stays as it is, as in glibc
				b.WriteString(format[i-map[bool]int{true: 1, false: 2}[pad] : i+1])
			}
			b.WriteString(now.Format(layout))
		}
		c.in.alloc(16)
		c.in.checkText(b.Len())
	}
	return b.String()
}

// layouts are the formats that have one in Go.
var layouts = map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'h': "Jan", 'p': "PM", 'c': "Mon Jan _2 15:04:05 2006",
	'x': "01/02/06", 'X': "15:04:05", 'D': "01/02/06", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'r': "03:04:05 PM",
	'z': "", 'Z': "", '%': "%", 'n': "\n", 't': "\t"}
