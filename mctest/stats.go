package mctest

import (
	"fmt"
	"net"
	"strconv"
)

// stats answers the stats command and its sub-commands.
func (c *conn) stats(w [][]byte) verdict {
	if len(w) == 1 {
		c.generalStats()
		return c.answer(false, "END")
	}
	switch string(w[1]) {
	case "reset":
		c.resetStats()
		return c.answer(false, "RESET")
	case "settings":
		c.settingStats()
	case "items":
		c.itemStats()
	case "slabs":
		c.slabStats()
	case "conns":
		c.connStats()
	case "sizes", "sizes_disable":
		c.stat("sizes_status", "disabled")
	case "sizes_enable":
		c.stat("sizes_status", "enabled")
		return goOn // no END: memcached has none either
	case "detail":
		return c.detailStats(w)
	default:
		return c.answer(false, "ERROR")
	}
	return c.answer(false, "END")
}

func (c *conn) stat(name string, value any) {
	c.out = fmt.Appendf(c.out, "STAT %s %v\r\n", name, value)
}

// detailStats keeps no statistics per prefix; it only answers as if.
func (c *conn) detailStats(w [][]byte) verdict {
	if len(w) > 2 {
		switch string(w[2]) {
		case "on", "off":
			return c.answer(false, "OK")
		case "dump":
			return c.answer(false, "END")
		}
	}
	return c.answer(false, "CLIENT_ERROR usage: stats detail on|off|dump")
}

// resetStats sets the counters to 0, except those that say what is there.
func (c *conn) resetStats() {
	c.settle()
	c.st.mu.Lock()
	defer c.st.mu.Unlock()
	c.st.n = counters{}
}

// generalStats has the names of memcached 1.6.18 in its order; what has no
// meaning here says what an idle memcached says.
func (c *conn) generalStats() {
	c.settle()
	c.s.mu.Lock()
	pid, conns := c.s.pid, c.s.served
	c.s.mu.Unlock()
	st := c.st
	st.mu.Lock()
	n, items, bytes := st.n, len(st.items), st.bytes
	st.mu.Unlock()
	for _, g := range []struct {
		name  string
		value any
	}{
		{"pid", pid},
		{"uptime", c.now - bootSecond},
		{"time", c.now + st.clock.origin()},
		{"version", c.s.cfg.Version},
		{"libevent", "2.1.12-stable"},
		{"pointer_size", strconv.IntSize},
		{"rusage_user", "0.000000"},
		{"rusage_system", "0.000000"},
		{"max_connections", c.maxConns()},
		{"curr_connections", conns},
		{"total_connections", n.totalConns},
		{"rejected_connections", n.rejectedConns},
		{"connection_structures", conns},
		{"response_obj_oom", 0},
		{"response_obj_count", 0},
		{"response_obj_bytes", 0},
		{"read_buf_count", 0},
		{"read_buf_bytes", 0},
		{"read_buf_bytes_free", 0},
		{"read_buf_oom", 0},
		{"reserved_fds", 0},
		{"cmd_get", n.gets},
		{"cmd_set", n.sets},
		{"cmd_flush", n.flushes},
		{"cmd_touch", n.touches},
		{"cmd_meta", n.metaDebug},
		{"get_hits", n.getHits},
		{"get_misses", n.getMisses},
		{"get_expired", n.getExpired},
		{"get_flushed", n.getFlushed},
		{"delete_misses", n.deleteMisses},
		{"delete_hits", n.deleteHits},
		{"incr_misses", n.incrMisses},
		{"incr_hits", n.incrHits},
		{"decr_misses", n.decrMisses},
		{"decr_hits", n.decrHits},
		{"cas_misses", n.casMisses},
		{"cas_hits", n.casHits},
		{"cas_badval", n.casBadval},
		{"touch_hits", n.touchHits},
		{"touch_misses", n.touchMisses},
		{"store_too_large", n.storeTooLarge},
		{"store_no_memory", 0},
		{"auth_cmds", n.authCmds},
		{"auth_errors", n.authErrors},
		{"bytes_read", n.bytesRead},
		{"bytes_written", n.bytesWritten},
		{"limit_maxbytes", st.maxBytes},
		{"accepting_conns", 1},
		{"listen_disabled_num", 0},
		{"time_in_listen_disabled_us", 0},
		{"threads", 1},
		{"conn_yields", 0},
		{"hash_power_level", 16},
		{"hash_bytes", 524288},
		{"hash_is_expanding", 0},
		{"slab_reassign_rescues", 0},
		{"slab_reassign_chunk_rescues", 0},
		{"slab_reassign_evictions_nomem", 0},
		{"slab_reassign_inline_reclaim", 0},
		{"slab_reassign_busy_items", 0},
		{"slab_reassign_busy_deletes", 0},
		{"slab_reassign_running", 0},
		{"slabs_moved", 0},
		{"lru_crawler_running", 0},
		{"lru_crawler_starts", 0},
		{"lru_maintainer_juggles", 0},
		{"malloc_fails", 0},
		{"log_worker_dropped", 0},
		{"log_worker_written", 0},
		{"log_watcher_skipped", 0},
		{"log_watcher_sent", 0},
		{"log_watchers", 0},
		{"unexpected_napi_ids", 0},
		{"round_robin_fallback", 0},
		{"bytes", bytes},
		{"curr_items", items},
		{"total_items", n.totalItems},
		{"slab_global_page_pool", 0},
		{"expired_unfetched", 0},
		{"evicted_unfetched", 0},
		{"evicted_active", 0},
		{"evictions", n.evictions},
		{"reclaimed", n.reclaimed},
		{"crawler_reclaimed", 0},
		{"crawler_items_checked", 0},
		{"lrutail_reflocked", 0},
		{"moves_to_cold", 0},
		{"moves_to_warm", 0},
		{"moves_within_lru", 0},
		{"direct_reclaims", 0},
		{"lru_bumps_dropped", 0},
	} {
		c.stat(g.name, g.value)
	}
}

// maxConns is what stats report; without a limit it is memcached's default.
func (c *conn) maxConns() int {
	if m := c.s.cfg.MaxConns; m > 0 {
		return m
	}
	return 1024
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// settingStats tells what is set, not memcached's whole list of tuning knobs.
func (c *conn) settingStats() {
	host, port, _ := net.SplitHostPort(c.s.Addr())
	c.stat("maxbytes", c.st.maxBytes)
	c.stat("maxconns", c.maxConns())
	c.stat("tcpport", port)
	c.stat("udpport", 0)
	c.stat("inter", host)
	c.stat("verbosity", 0)
	c.stat("evictions", "on")
	c.stat("cas_enabled", "yes")
	c.stat("binding_protocol", "ascii")
	c.stat("auth_enabled_sasl", "no")
	c.stat("auth_enabled_ascii", yesNo(len(c.s.cfg.Auth) > 0))
	c.stat("item_size_max", c.st.maxItem)
	c.stat("maxconns_fast", "yes")
	c.stat("flush_enabled", "yes")
	c.stat("idle_timeout", int(c.s.cfg.IdleTimeout.Seconds()))
	c.stat("ssl_enabled", yesNo(c.s.cfg.TLS != nil))
}

func (c *conn) connStats() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	id := 0
	for k := range c.s.conns {
		id++
		c.stat(fmt.Sprintf("%d:addr", id), "tcp:"+k.raw.RemoteAddr().String())
		c.stat(fmt.Sprintf("%d:state", id), "conn_read")
	}
}
