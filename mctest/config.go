package mctest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config describes a Server. The zero value is a server like `memcached` without
// flags, on a free port of 127.0.0.1.
type Config struct {
	// Addr is where to listen: "host:port" or "unix:/path". "" means
	// "127.0.0.1:0", a free port; see Server.Addr.
	Addr string
	// NoListen makes a server without a listener: only Serve and Dial reach it.
	NoListen bool
	// TLS, when set, makes the listener speak TLS (memcached --enable-ssl).
	TLS *tls.Config
	// Auth maps users to passwords. When it is not empty, each connection must
	// authenticate before anything else (memcached -Y).
	Auth map[string]string
	// Version is the memcached version to report and to imitate; "" means
	// "1.6.18". Below 1.6.0 the meta commands answer ERROR, below 1.5.3 gat and
	// gats do, below 1.4.8 touch does. Nothing else changes.
	Version string
	// MaxBytes bounds the memory of all items, counted as memcached counts it;
	// the least recently used item gives way. 0 means 64 MiB (memcached -m).
	MaxBytes int64
	// MaxItemSize bounds one item: key, value and about 60 bytes of header. 0
	// means 1 MiB (memcached -I).
	MaxItemSize int
	// MaxConns is the number of connections beyond which new ones are told off
	// and closed (memcached -c). 0 means no limit.
	MaxConns int
	// IdleTimeout closes connections that send nothing for so long (memcached
	// -o idle_timeout). 0 means never.
	IdleTimeout time.Duration
	// Clock tells the time for expiry, flush_all and uptime; nil means time.Now.
	// Faults that wait use the real clock (or that of the synctest bubble).
	Clock func() time.Time
	// Seed makes the random faults (Garbage, Split) repeatable.
	Seed uint64
}

// limits of a request, as memcached has them.
const (
	maxKeyLen      = 250
	defaultVersion = "1.6.18"
	defaultBytes   = 64 << 20
	defaultItem    = 1 << 20
	maxItem        = 1 << 30
)

// withDefaults returns cfg with its defaults in place.
func (cfg Config) withDefaults() Config {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Version == "" {
		cfg.Version = defaultVersion
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultBytes
	}
	if cfg.MaxItemSize == 0 {
		cfg.MaxItemSize = defaultItem
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return cfg
}

// check returns all that is wrong with cfg.
func (cfg Config) check() error {
	var errs []error
	if cfg.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("negative MaxBytes %d", cfg.MaxBytes))
	}
	if cfg.MaxItemSize < 0 || cfg.MaxItemSize > maxItem {
		errs = append(errs, fmt.Errorf("field MaxItemSize %d is not in 0..%d", cfg.MaxItemSize, maxItem))
	}
	if cfg.MaxConns < 0 {
		errs = append(errs, fmt.Errorf("negative MaxConns %d", cfg.MaxConns))
	}
	if cfg.IdleTimeout < 0 {
		errs = append(errs, fmt.Errorf("negative IdleTimeout %v", cfg.IdleTimeout))
	}
	if _, err := parseVersion(cfg.Version); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("mctest: %w", errors.Join(errs...))
	}
	return nil
}

// dialect says which commands the imitated version knows.
type dialect struct{ meta, gat, touch bool }

func dialectOf(version string) dialect {
	v, err := parseVersion(version)
	if err != nil {
		panic("bug: version " + version + " was not checked")
	}
	return dialect{meta: v >= 1_006_000, gat: v >= 1_005_003, touch: v >= 1_004_008}
}

// parseVersion turns "1.6.18" into 1_006_018, which compares as it should.
func parseVersion(s string) (int, error) {
	number, _, _ := strings.Cut(s, "-")
	parts := strings.Split(number, ".")
	if len(parts) != 3 {
		return 0, errVersion(s)
	}
	v := 0
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n > 999 {
			return 0, errVersion(s)
		}
		v = v*1000 + int(n)
	}
	return v, nil
}

func errVersion(s string) error { return fmt.Errorf("version %q is not of the form 1.6.18", s) }
