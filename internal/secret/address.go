package secret

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainSettings are query parameters of URLs whose values may be shown.
var plainSettings = []string{"region", "prefix", "use_path_style", "s3ForcePathStyle", "disable_https", "hostname_immutable",
	"metadata", "create_dir", "no_tmp_dir", "dir_file_mode"}

// Address returns an address or URL as it may be shown: without a user and password before an @, and with the
// values of query parameters hidden, except those of known harmless ones. endpoint keeps its address. It
// works on text that is no valid URL too, since that is when it is shown.
func Address(raw string) string {
	raw, fragment, cut := strings.Cut(raw, "#") // only broken ones have it; a password may
	if cut && strings.Contains(fragment, "@") {
		raw += "#" + fragment
	}
	base, query, found := strings.Cut(raw, "?")
	if at := strings.LastIndexByte(query, '@'); at >= 0 && !strings.Contains(base, "@") && !strings.Contains(query[:at], "endpoint=") {
		base, found = base+"?"+query, false // the ? was part of a password
	}
	base = withoutLogin(base)
	if !found {
		return base
	}
	parts := strings.Split(query, "&")
	for i, p := range parts {
		name, value, has := strings.Cut(p, "=")
		switch {
		case !has:
			parts[i] = Hidden
		case slices.Contains(plainSettings, name):
		case name == "endpoint":
			if v, err := url.QueryUnescape(value); err == nil {
				value = v
			}
			parts[i] = name + "=" + Address(value)
		default:
			parts[i] = name + "=" + Hidden
		}
	}
	return base + "?" + strings.Join(parts, "&")
}

// withoutLogin hides what stands before the last @, after a scheme.
func withoutLogin(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme := ""
	if i := strings.Index(s, "://"); i >= 0 && i < at {
		scheme = s[:i+3]
	}
	return scheme + Hidden + s[at:]
}

// Hide replaces every secret in a text by ***, also where it stands escaped for a URL or quoted. Secrets shorter than
// 4 bytes are left: they would hide the words around them and are guessed in no time; of letters alone, only whole words are
// hidden.
func Hide(text string, secrets ...string) string {
	secrets = slices.Clone(secrets) // longest first: one may contain another
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		if len(s) < 4 {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), quoted(s)} {
			text = hide(text, form)
		}
	}
	return text
}

// hide replaces a text; one that is a word, only where a word ends with it.
func hide(text, what string) string {
	word := !strings.ContainsFunc(what, func(r rune) bool { return !unicode.IsLetter(r) })
	var b strings.Builder
	for {
		i := strings.Index(text, what)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(what)
		after, _ := utf8.DecodeRuneInString(text[end:])
		if word && unicode.IsLetter(after) {
			b.WriteString(text[:end])
		} else {
			b.WriteString(text[:i] + Hidden)
		}
		text = text[end:]
	}
}

// quoted is a text as %q shows it, without the quotes.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
