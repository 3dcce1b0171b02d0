package ui

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"html"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beamyard/beamyard/orchestrator/hint"
)

// This file decides who may use the server. Other users of the machine reach its addresses, and so
// do pages of any site in the user's browser.

const (
	// tokenTime is how long a token is valid: a URL may wait in a terminal for a while.
	tokenTime = time.Hour
	// maxTokens bounds the tokens that were not used. The oldest ones go first.
	maxTokens = 64
)

// mode is what a session may do.
type mode int

const (
	nobody mode = iota
	mayLook
	mayChange
)

// guard knows the tokens and the sessions. All methods are safe for concurrent use.
type guard struct {
	port int
	now  func() time.Time

	mu       sync.Mutex
	tokens   []token
	sessions map[mode]string // the secret of the cookie
}

// token becomes a session once.
type token struct {
	secret  string
	mode    mode
	expires time.Time
}

func newGuard(port int) *guard {
	return &guard{port: port, now: time.Now, sessions: map[mode]string{mayLook: rand.Text(), mayChange: rand.Text()}}
}

// invite returns a new token.
func (g *guard) invite(m mode) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := token{rand.Text(), m, g.now().Add(tokenTime)}
	g.tokens = append(g.tokens, t)
	g.tokens = g.tokens[max(0, len(g.tokens)-maxTokens):]
	return t.secret
}

// redeem returns the session of a token, which is then used up.
func (g *guard) redeem(secret string) (session string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := -1
	for i, t := range g.tokens { // all of them, in any case: the time must not tell
		if equal(t.secret, secret) && g.now().Before(t.expires) {
			found = i
		}
	}
	if found < 0 {
		return "", false
	}
	m := g.tokens[found].mode
	g.tokens = append(g.tokens[:found], g.tokens[found+1:]...)
	return g.sessions[m], true
}

// cookie is the name of the cookie. Cookies do not tell ports apart: each server has its own.
func (g *guard) cookie() string { return "beamyard-" + strconv.Itoa(g.port) }

// mode returns what the request's session may do.
func (g *guard) mode(r *http.Request) mode {
	c, err := r.Cookie(g.cookie())
	if err != nil {
		return nobody
	}
	return g.session(c.Value)
}

func (g *guard) session(secret string) mode {
	found := nobody
	for m, s := range g.sessions {
		if equal(s, secret) {
			found = m
		}
	}
	return found
}

// equal compares secrets in a time that does not tell where they differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// ourHost reports whether a Host header names this server. A name that resolves to loopback is not
// enough: any site can have one (DNS rebinding).
func ourHost(host string, port int) bool {
	name, p, err := net.SplitHostPort(host)
	if err != nil || p != strconv.Itoa(port) {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && (addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || addr == netip.IPv6Loopback())
}

// protect sets the headers of every answer, and refuses requests for other hosts and from other
// sites.
func (g *guard) protect(next http.Handler) http.Handler {
	sites := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if !ourHost(r.Host, g.port) {
			plain(w, http.StatusMisdirectedRequest, "This address is not that of the page: use http://localhost:%d.", g.port)
			return
		}
		if err := sites.Check(r); err != nil {
			plain(w, http.StatusForbidden, "A request from another site: %v.", err)
			return
		}
		if r.Method == http.MethodPost {
			if err := g.checkPost(r); err != "" {
				plain(w, http.StatusForbidden, "%s", err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// checkPost checks what browsers send with a request that a page of ours makes. It returns what is
// wrong.
func (g *guard) checkPost(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" && !strings.EqualFold(origin, "http://"+r.Host) {
		return "A request from another site: its Origin is not this page."
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return "The Content-Type is not application/json."
	}
	return ""
}

// enter answers a GET with a token: it sets the cookie, and goes on to the same path without it.
func (g *guard) enter(w http.ResponseWriter, r *http.Request) {
	session, ok := g.redeem(r.URL.Query().Get("token"))
	if !ok && g.mode(r) == nobody {
		refuse(w, "This URL was used already, or is too old.")
		return
	}
	if ok {
		http.SetCookie(w, &http.Cookie{Name: g.cookie(), Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	w.Header().Set("Cache-Control", "no-store")
	// The path alone: with "//" it would be another host.
	to := "/" + strings.TrimLeft(r.URL.EscapedPath(), "/\\")
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		// A file or a page of another site led here. Browsers send a strict cookie only with
		// what this page requests, and a redirect is not that.
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><meta http-equiv=\"refresh\" content=\"0; url=%s\"><title>Beamyard</title>", html.EscapeString(to))
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// refuse answers a request without a session.
func refuse(w http.ResponseWriter, why string) {
	plain(w, http.StatusUnauthorized, "%s\n\nTo get a new URL, type:\n\n  %s", why, hint.Page.On("NAME"))
}

// plain answers with a text.
func plain(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, format+"\n", args...)
}
