"""The deliberate bugs of benchmarks/mutants.py: a name, what is wrong, exact replacements."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """changes: (file, text, text instead); the first place of each text is meant."""

    name: str
    what: str
    changes: tuple[tuple[str, str, str], ...]


ORDERS, ORDERS_PXD = "mmcore/orders.pyx", "mmcore/orders.pxd"
RISK, INTAKE, ENGINE = "mmcore/risk.pyx", "mmcore/intake.pyx", "mmcore/engine.pyx"
POSITION, BUDGET, LIMITS = "mmcore/position.pyx", "mmcore/budget.pyx", "mmcore/limits.pyx"
CLIENT, SWEEP = "connectors/deribit/client.py", "connectors/deribit/sweep.py"
FILLS, LOGIN = "connectors/deribit/fills.py", "connectors/deribit/login.py"
OWN, LABELS = "connectors/deribit/own.pyx", "connectors/deribit/labels.pyx"

MUTANTS: tuple[Mutant, ...] = (
    # ---- orders
    Mutant("unknown-counts-nothing", "an order of unknown fate is no exposure", ((
        ORDERS_PXD, "    if order.state == ORDER_CLOSED:\n        total = order.filled",
        "    if order.state == ORDER_CLOSED or order.state == ORDER_UNKNOWN:\n"
        "        total = order.filled"),)),
    Mutant("edit-counts-old-amount", "what an edit in flight asks for is no exposure", ((
        ORDERS_PXD, "    elif order.pending_amount_contracts > order.amount_contracts:",
        "    elif order.state == ORDER_NEW_PENDING:"),)),
    Mutant("slot-free-too-early", "a slot is used again before its fills are booked", ((
        ORDERS_PXD, "            and order.booked_contracts >= order.filled_contracts)",
        "            or order.booked_contracts < 0)"),)),
    Mutant("lost-is-closed", "a lost connection closes live orders", ((
        ORDERS, "    [NEVER, E,     X,     L,   L,     C,     LX,     UA,  LX,    L,      U,   C]",
        "    [NEVER, E,     X,     L,   L,     C,     LX,     UA,  LX,    L,      C,   C]"),)),
    Mutant("late-is-closed", "a create without an answer is taken for refused", ((
        ORDERS, "    [NEVER, NEVER, NEVER, L,   L,     C,     C,      C,   U,     U,      U,   N]",
        "    [NEVER, NEVER, NEVER, L,   L,     C,     C,      C,   U,     C,      U,   N]"),)),
    Mutant("unsure-is-refused", "a refusal that may have had effect had none", ((
        ORDERS, "            return self.step(order, SIGNAL_UNSURE) | OUTCOME_REJECTED",
        "            return self.step(order, SIGNAL_REFUSED) | OUTCOME_REJECTED"),)),
    Mutant("gone-is-closed", "an order told to be gone is closed without asking how", ((
        ORDERS, "    [NEVER, NEVER, X,     UX,  X,     C,     LX,     UA,  UX,    UX,     U,   C]",
        "    [NEVER, NEVER, X,     UX,  X,     C,     C,      C,   C,     C,      C,   C]"),)),
    Mutant("absent-too-early", "absence is evidence while a request may still arrive", ((
        SWEEP, "            if wall_ns < valid_until_ms * 1_000_000 + EXPIRY_SLACK_NS:",
        "            if wall_ns < 0:"),)),
    Mutant("one-generation", "every order of a slot has the same label", ((
        LABELS, "    p = write_hex(p + 1, generation, 6)",
        "    p = write_hex(p + 1, generation & 1, 6)"),)),
    Mutant("fills-not-counted", "a fill reaches the position and not its order", ((
        ORDERS, "        self.orders[slot].booked_contracts += amount_contracts\n",
        "        self.orders[slot].booked_contracts += 0 * amount_contracts\n"),)),
    Mutant("quotes-may-take", "a quote is not post-only", ((
        "mmcore/diff.pyx", "    action.post_only = True", "    action.post_only = False"),)),
    # ---- fills and money
    Mutant("fill-twice", "a trade that is told twice is booked twice", ((
        INTAKE, "        if market.ledger.is_duplicate(fill.trade_id):",
        "        if market.ledger.is_duplicate(fill.trade_id) and fill.trade_id < 0:"),)),
    Mutant("asked-trades-dropped", "trades that had to be asked for are not booked", ((
        OWN, "            self.recovered += self.engine.on_fill(&self.fills[i], now_ns) == 1",
        "            self.recovered += self.fills[i].amount_contracts > 0"),)),
    Mutant("not-deaf", "a lost connection is no reason to ask for trades", ((
        CLIENT, "        self.reconciler.fills.deaf()\n", ""),)),
    Mutant("no-recovery", "after a reconnect nobody asks for the trades meanwhile", ((
        CLIENT, "        await reconciler.fills.recover()\n        await reconciler.adopt",
        "        await reconciler.adopt"),)),
    Mutant("held-forgotten", "a new process does not go on where the killed one was", ((
        CLIENT, "            await reconciler.fills.go_on(config.held)",
        "            reconciler.fills.listening()"),)),
    Mutant("fees-forgotten", "no fee is booked", ((
        POSITION, "        self.fees_e8 += fee_e8\n", "        self.fees_e8 += 0 * fee_e8\n"),)),
    Mutant("flip-keeps-entry", "a position that turns round has no entry", ((
        POSITION, "            self.entry_cost += (cost - closed_cost) - entry_part",
        "            self.entry_cost -= entry_part"),)),
    Mutant("profit-upside-down", "a short's profit has a long's sign", ((
        POSITION, "            if (spec.kind == INSTRUMENT_INVERSE) != (self.contracts > 0):\n"
        "                profit_e8 = -profit_e8\n            self.entry_cost +=",
        "            self.entry_cost +="),)),
    # ---- limits and states
    Mutant("limit-a-little-more", "the inventory limit is one percent and a bit too generous", (
        (RISK, "            room = exposure.limit_btc - signed * exposure.position_btc",
         "            room = exposure.limit_btc + 0.0004 - signed * exposure.position_btc"),
        (RISK, "            net_room = self.net_limit_btc - signed * self.net_btc",
         "            net_room = self.net_limit_btc + 0.0004 - signed * self.net_btc"),
        (RISK, "                > exposure.limit_btc + SLACK_BTC):",
         "                > exposure.limit_btc + 0.0004):"),
        (RISK, "                > self.net_limit_btc + SLACK_BTC):",
         "                > self.net_limit_btc + 0.0004):"))),
    Mutant("limit-of-position-alone", "the limit forgets orders that stand already", (
        (RISK, "        if (signed * exposure.position_btc + exposure.worst_btc[action.side] + added",
         "        if (signed * exposure.position_btc + added"),
        (RISK, "        if (signed * self.net_btc + self.net_worst_btc[action.side] + added_btc",
         "        if (signed * self.net_btc + added_btc"),
        (RISK, "                room -= delta_btc(spec, amount, at_price)",
         "                room -= 0.0 * delta_btc(spec, amount, at_price)"))),
    Mutant("paused-adds", "a pause stops nothing", (
        (RISK, "                    self.state != RISK_ACTIVE or exposure.barred[side]):",
         "                    exposure.barred[side]):"),
        (RISK, "            if self.state != RISK_ACTIVE and room > -signed * exposure.position_btc:",
         "            if self.state > RISK_KILLED:"),
        (RISK, "        if self.state == RISK_ACTIVE and not action.reduce_only:",
         "        if self.state <= RISK_PAUSED and not action.reduce_only:"))),
    Mutant("pause-not-heard", "a person's pause is not heard", ((
        LIMITS, "        if control.kind == CONTROL_PAUSE:\n            if control.value > 0:",
        "        if control.kind == CONTROL_PAUSE:\n            if control.value == 0:\n"
        "                pass\n            elif control.value > 0:"),)),
    Mutant("reduce-not-heard", "a person's word to reduce is not heard", ((
        LIMITS, "            gate.reduce_while(REASON_OPERATOR, control.value != 0)",
        "            gate.reduce_while(REASON_OPERATOR, control.value > 1)"),)),
    Mutant("killed-quotes", "a kill stops nothing", (
        (RISK, "        if self.state >= RISK_STOPPED:\n            bits |= REMOVED_KILLED",
         "        if self.state > RISK_KILLED:\n            bits |= REMOVED_KILLED"),
        (RISK, "                    self.state != RISK_ACTIVE or exposure.barred[side]):",
         "                    exposure.barred[side]):"),
        (RISK, "            if self.state != RISK_ACTIVE and room > -signed * exposure.position_btc:",
         "            if self.state > RISK_KILLED:"),
        (RISK, "        if self.state == RISK_ACTIVE and not action.reduce_only:",
         "        if not action.reduce_only:"))),
    Mutant("kill-cancels-nothing", "a kill leaves the orders where they are", (
        (ENGINE, "            self.cancel_all_due = True", "            self.cancel_all_due = False"),
        (RISK, "        if self.state >= RISK_STOPPED:\n            bits |= REMOVED_KILLED",
         "        if self.state == RISK_STOPPED:\n            bits |= REMOVED_KILLED"),
        (RISK, "                    self.state != RISK_ACTIVE or exposure.barred[side]):",
         "                    exposure.barred[side]):"),
        (CLIENT, "            self._spawn(self._kill(), \"kill\")", "            pass"),
        (CLIENT, "            self._killing = True\n            self.second_path(EVERYTHING)",
         "            self._killing = True"))),
    # ---- credits
    Mutant("credits-refill-too-fast", "the pool is thought to refill five times as fast", ((
        BUDGET, "        self.rate = 0.8 * rate", "        self.rate = 4.0 * rate"),)),
    Mutant("credits-never-spent", "a request costs nothing", ((
        BUDGET, "        self.level = self.available(now_ns) - 1.0",
        "        self.level = self.available(now_ns)"),)),
    # ---- connections
    Mutant("cod-not-confirmed", "cancel-on-disconnect is never asked for", ((
        LOGIN, "        if self.session.orders:\n            await self.confirm",
        "        if not self.session.orders:\n            await self.confirm"),)),
    Mutant("no-sweep", "a fresh connection cancels and asks nothing", ((
        CLIENT, "        if not await reconciler.sweep.clear_orders(config.stop_deadline_s):",
        "        if config.stop_deadline_s < 0:"),)),
    Mutant("no-resync", "a book with a gap is never asked for again", ((
        CLIENT, "            if mask >> market & 1 and market not in self._resyncing:",
        "            if mask >> market & 1 and market in self._resyncing:"),)),
    Mutant("dead-line-kept", "a half-open line is kept", ((
        "connectors/deribit/link.py", "            self.session.abort()\n        except RpcError",
        "            self.dead_lines += 0\n        except RpcError"),)),
    Mutant("login-not-looked-at", "refusals for want of a login change nothing", ((
        CLIENT, "        if doubts != self._doubts:", "        if doubts < self._doubts:"),)),
    Mutant("clock-of-before", "a clock that was set is not noticed", ((
        "connectors/deribit/reconcile.py", "                self.offsets.clear()",
        "                self.offsets.reverse()"),)),
    Mutant("long-back-off", "a venue that is back is tried half a minute later", ((
        "connectors/deribit/connection.py", "    backoff_max_s: float = 3.0",
        "    backoff_max_s: float = 60.0"),)),
    Mutant("asks-on-a-dead-line", "a line lost while orders are asked for is not noticed", ((
        SWEEP, "            if not self.session.sink.is_connected:",
        "            if self.session.sink is None:"),)),
    Mutant("silence-is-fine", "orders leave however long nothing was heard", (
        (RISK, "        if (now_ns - health.frame_ns > <int64_t>(params.risk.stale_ms * 1e6)",
         "        if (now_ns - health.frame_ns > <int64_t>(params.risk.stale_ms * 1e9)"),
        (RISK, "                or now_ns - health.book_ns > <int64_t>(params.risk.book_silence_ms * 1e6)",
         "                or now_ns - health.book_ns > <int64_t>(params.risk.book_silence_ms * 1e9)"),
        (RISK, "                or now_ns - signal.ticker_ns > <int64_t>(params.risk.ticker_stale_ms",
         "                or now_ns - signal.ticker_ns > <int64_t>(1e3 * params.risk.ticker_stale_ms"))),
)
