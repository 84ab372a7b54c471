"""Orders, trades, positions and balances as the venue's JSON objects, key for key."""
from libc.stdint cimport int32_t, int64_t

from connectors.sim.account cimport (
    Account, Position, average_price_of, currency_of, profit_at,
)
from connectors.sim.exchange cimport Exchange
from connectors.sim.margin import rates
from connectors.sim.margin cimport initial_margin, maintenance_margin
from connectors.sim.marking cimport MarketData, delivery_estimate
from connectors.sim.matching cimport MatchBook
from connectors.sim.mmp cimport MmpGroup
from connectors.sim.orders cimport (
    CANCEL_MMP, ORDER_TRIGGERED, SIM_ORDER_MARKET, TRADE_BLOCK, TRADE_LIQUIDATION, TRIGGER_NONE,
    TRIGGER_STOP, SimOrder, SimTrade, TradeLeg,
)
from mmcore.types cimport (
    SIDE_BID, VENUE_ORDER_FILLED, VENUE_ORDER_UNTRIGGERED, Instrument, InstrumentSpec, amount_of,
    delta_btc, price_usd,
)

STATES = ("open", "settlement", "locked", "halted", "inactive", "delivered", "archivized",
          "unknown")
ORDER_STATES = ("open", "filled", "cancelled", "rejected", "untriggered", "triggered")
TIMES_IN_FORCE = ("good_til_cancelled", "immediate_or_cancel", "fill_or_kill", "good_til_day")
CANCEL_REASONS = (None, "user_request", "cancel_on_disconnect", "edit_post_only_reject",
                  "order_overlap", "settlement", "user_request", "autoliquidation",
                  "mmp_trigger", None)
CURRENCIES = ("BTC", "USDC")
cdef object MAX_LEVERAGE = round(1.0 / rates()["initial"])
TRIGGERS_BY = ("mark_price", "index_price", "last_price")


cdef str label_of(const SimOrder* order):
    return order.label[:order.label_size].decode("utf-8", "replace")


cdef dict order_view(Exchange exchange, const SimOrder* order):
    cdef Instrument* spec = &(<MatchBook>exchange.books[order.market]).spec
    cdef dict view = {
        "label": label_of(order),
        "price": shown_price(spec, order),
        "user_id": (<Account>exchange.accounts[order.account]).user_id,
        "amount": amount_of(spec, order.amount_contracts),
        "direction": "buy" if order.side == SIDE_BID else "sell",
        "time_in_force": TIMES_IN_FORCE[order.time_in_force],
        "instrument_name": (<InstrumentSpec>exchange.specs[order.market]).name,
        "web": False,
        "api": True,
        "order_id": order_name(order),
        "creation_timestamp": order.created_ns // 1000000,
        "replaced": order.replaced,
        "filled_amount": amount_of(spec, order.filled_contracts),
        "last_update_timestamp": order.updated_ns // 1000000,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
    }
    if CANCEL_REASONS[order.cancel_reason] is not None:
        view["cancel_reason"] = CANCEL_REASONS[order.cancel_reason]
    if exchange.is_spread(order.market):    # arithmetic: there is no cost of a difference
        view["average_price"] = round(order.filled_entry * spec.tick_usd / order.filled_contracts,
                                      2) if order.filled_contracts else 0.0
    else:
        view["average_price"] = round(
            average_price_of(spec, order.filled_contracts, order.filled_entry), 2)
    view["mmp"] = order.mmp
    view["contracts"] = float(order.amount_contracts)
    if order.post_only:
        view["reject_post_only"] = order.reject_post_only
    view["order_state"] = ORDER_STATES[order.state]
    view["order_type"] = type_name(order)
    view["is_liquidation"] = order.liquidation
    view["risk_reducing"] = order.liquidation
    more_of_order(exchange, order, spec, view)
    return view


cdef object shown_price(const Instrument* spec, const SimOrder* order):
    if order.state == VENUE_ORDER_UNTRIGGERED and order.kind == SIM_ORDER_MARKET:
        return "market_price"
    return price_usd(spec, order.price_ticks)


cdef str order_name(const SimOrder* order):
    """The id on the wire: a trigger order's says what it is (stop, index, sell: SLIS)."""
    if order.trigger == TRIGGER_NONE:
        return str(order.order_id)
    return "{}{}{}-{}".format("SL" if order.trigger == TRIGGER_STOP else "TP",
                              "MIT"[order.trigger_by], "B" if order.side == SIDE_BID else "S",
                              order.order_id)


cdef str type_name(const SimOrder* order):
    cdef str kind = "market" if order.kind == SIM_ORDER_MARKET else "limit"
    if order.trigger == TRIGGER_NONE:
        return kind
    return ("stop_" if order.trigger == TRIGGER_STOP else "take_") + kind


cdef int more_of_order(Exchange exchange, const SimOrder* order, const Instrument* spec,
                       dict view) except -1:
    """What only trigger orders, their successors and quotes have."""
    cdef const SimOrder* parent
    cdef MmpGroup group
    if order.trigger != TRIGGER_NONE:
        view["trigger"] = TRIGGERS_BY[order.trigger_by]
        view["trigger_price"] = price_usd(spec, order.trigger_ticks)
        view["triggered"] = order.state == ORDER_TRIGGERED
    if order.parent_id:
        parent = exchange.order(order.parent_id)
        view["triggered"] = True
        view["trigger_order_id"] = str(order.parent_id) if parent == NULL else order_name(parent)
    if order.cancel_reason == CANCEL_MMP:
        view["mmp_cancelled"] = True
    if order.quote:
        group = exchange.mmp_group(order.account, exchange.data[order.market].index,
                                   order.mmp_group)
        view["api"] = False
        view["quote"] = True
        view["quote_id"] = order.names.id[:order.names.id_size].decode("utf-8", "replace")
        view["quote_set_id"] = order.names.set_id[:order.names.set_size].decode(
            "utf-8", "replace")
        view["mmp_group"] = group.name if group is not None else ""
    return 0


cdef dict trade_view(Exchange exchange, const SimOrder* order, const SimTrade* trade,
                     const TradeLeg* leg):
    """A trade as its owner sees it; `order` may be NULL where the order is forgotten."""
    cdef Instrument* spec = &(<MatchBook>exchange.books[trade.market]).spec
    cdef bint taker = leg == &trade.taker
    cdef bint part = leg.parent_id != 0
    cdef bint known = order != NULL and (
        order.order_id == leg.order_id or order.order_id == leg.parent_id)
    cdef bint spread = exchange.is_spread(trade.market)
    cdef int32_t side = trade.side if taker else 1 - trade.side
    cdef dict view = {}
    if known and order.label_size > 0:
        view["label"] = label_of(order)
    view["timestamp"] = trade.t_ns // 1000000
    view["state"] = "filled" if leg.state == VENUE_ORDER_FILLED else "open"
    view["price"] = price_usd(spec, trade.price_ticks)
    view["user_id"] = (<Account>exchange.accounts[leg.account]).user_id
    view["amount"] = amount_of(spec, trade.amount_contracts)
    view["direction"] = "buy" if side == SIDE_BID else "sell"
    view["index_price"] = round(trade.index_usd, 2)
    view["instrument_name"] = (<InstrumentSpec>exchange.specs[trade.market]).name
    view["trade_seq"] = trade.trade_seq
    view["api"] = not part
    view["mark_price"] = round(trade.mark_usd, 2)
    view["order_id"] = str(leg.order_id)
    view["matching_id"] = None
    view["tick_direction"] = trade.tick_direction
    view["profit_loss"] = None if spread else leg.profit_e8 / 1e8
    view["post_only"] = known and order.post_only
    view["reduce_only"] = known and order.reduce_only
    view["self_trade"] = False
    view["mmp"] = known and order.mmp
    view["contracts"] = float(trade.amount_contracts)
    view["trade_id"] = str(trade.trade_id)
    view["fee_currency"] = CURRENCIES[currency_of(spec)]
    view["fee"] = leg.fee_e8 / 1e8
    view["order_type"] = "market" if known and order.kind == SIM_ORDER_MARKET else "limit"
    view["risk_reducing"] = known and order.liquidation
    view["liquidity"] = "T" if taker else "M"
    combo_of(exchange, trade, view)
    if trade.flags & <int>TRADE_LIQUIDATION:
        view["liquidation"] = "T"   # a liquidation always takes; both sides are told so
    if known and order.quote:
        view["quote_id"] = order.names.id[:order.names.id_size].decode("utf-8", "replace")
        view["quote_set_id"] = order.names.set_id[:order.names.set_size].decode(
            "utf-8", "replace")
    return view


cdef int combo_of(Exchange exchange, const SimTrade* trade, dict view) except -1:
    """Name the spread a trade is a leg of, or the block it is part of."""
    if trade.combo:
        view["combo_id"] = (<InstrumentSpec>exchange.specs[trade.combo - 1]).name
        view["combo_trade_id"] = str(trade.combo_trade_id)
    if trade.flags & <int>TRADE_BLOCK:
        view["block_trade_id"] = f"BLOCK-{trade.trade_id}"
        view["block_trade_leg_count"] = 1
    return 0


cdef dict print_view(Exchange exchange, const SimTrade* trade):
    """A trade as everybody sees it."""
    cdef Instrument* spec = &(<MatchBook>exchange.books[trade.market]).spec
    cdef dict view = {
        "timestamp": trade.t_ns // 1000000,
        "price": price_usd(spec, trade.price_ticks),
        "amount": amount_of(spec, trade.amount_contracts),
        "direction": "buy" if trade.side == SIDE_BID else "sell",
        "index_price": round(trade.index_usd, 2),
        "instrument_name": (<InstrumentSpec>exchange.specs[trade.market]).name,
        "trade_seq": trade.trade_seq,
        "mark_price": round(trade.mark_usd, 2),
        "tick_direction": trade.tick_direction,
        "contracts": float(trade.amount_contracts),
    }
    combo_of(exchange, trade, view)
    view["trade_id"] = str(trade.trade_id)
    return view


cdef dict position_view(Exchange exchange, int32_t account, int32_t market, bint full):
    """A position; `full` as get_position has it, else as user.changes has it."""
    cdef MatchBook book = exchange.books[market]
    cdef Instrument* spec = &book.spec
    cdef MarketData* data = &exchange.data[market]
    cdef Account owner = exchange.accounts[account]
    cdef Position* position = &owner.positions[market]
    cdef int64_t size = position.size_contracts
    cdef double delta = delta_btc(spec, size, data.mark_usd)
    cdef double upl = round(profit_at(spec, position, position.entry, data.mark_usd), 9)
    cdef double total = round(profit_at(spec, position, position.cost, data.mark_usd), 9)
    cdef int64_t held = size if size > 0 else -size
    cdef dict view
    owner.book_funding(spec, data.funding_e18)
    view = {
        "size": amount_of(spec, size),
        "kind": "future",
        "maintenance_margin": round(maintenance_margin(spec, data.mark_usd, held), 9),
        "initial_margin": round(initial_margin(spec, data.mark_usd, held), 9),
        "direction": "zero" if size == 0 else "buy" if size > 0 else "sell",
        "index_price": round(exchange.indexes[data.index].price_usd, 2),
        "instrument_name": (<InstrumentSpec>exchange.specs[market]).name,
        "settlement_price": data.settlement_usd,
        "mark_price": data.mark_usd,
    }
    if data.perpetual:
        view["interest_value"] = data.funding_e18 / 1e11
    view["delta"] = round(delta, 9)
    view["average_price"] = round(average_price_of(spec, held, position.cost), 2)
    view["floating_profit_loss"] = upl
    view["realized_profit_loss"] = (position.realized_e8 + position.funding_e8) / 1e8
    view["total_profit_loss"] = total
    view["realized_funding"] = position.funding_e8 / 1e8
    view["leverage"] = MAX_LEVERAGE
    view["size_currency"] = round(delta, 9)
    if full:
        view["estimated_liquidation_price"] = None
        view["open_orders_margin"] = round(
            initial_margin(spec, data.mark_usd, position.open_contracts[0]
                           + position.open_contracts[1]), 9)
    return view


cdef dict portfolio_view(Exchange exchange, int32_t account, int32_t currency):
    """Balances as user.portfolio and get_account_summary share them."""
    cdef Account owner = exchange.accounts[account]
    cdef int32_t market
    cdef double upl, equity, initial, maintenance
    cdef double delta = 0.0
    cdef double session
    for market in range(exchange.market_count):
        if currency_of(&(<MatchBook>exchange.books[market]).spec) == currency:
            owner.book_funding(&(<MatchBook>exchange.books[market]).spec,
                               exchange.data[market].funding_e18)
            delta += delta_btc(&(<MatchBook>exchange.books[market]).spec,
                               owner.positions[market].size_contracts,
                               exchange.data[market].mark_usd)
    session = owner.session_e8[currency] / 1e8
    upl = round(exchange.profit_of(account, currency), 8)
    equity = round(exchange.equity_of(account, currency), 8)
    initial = round(exchange.initial_of(account, currency), 8)
    maintenance = round(exchange.maintenance_of(account, currency), 8)
    delta = round(delta, 8)
    return {
        "equity": equity, "session_upl": upl, "projected_delta_total": delta,
        "additional_reserve": 0.0, "estimated_liquidation_ratio": 0.0,
        "margin_model": "segregated_sm", "options_theta": 0.0, "locked_balance": 0.0,
        "options_pl": 0.0, "portfolio_margining_enabled": False,
        "total_pl": round(upl + session, 8), "spot_reserve": 0.0, "session_rpl": session,
        "initial_margin": initial, "projected_initial_margin": initial, "margin_balance": equity,
        "options_vega": 0.0, "options_session_rpl": 0.0, "options_vega_map": {},
        "maintenance_margin": maintenance, "futures_session_rpl": session,
        "delta_total_map": {"btc_usd": delta}, "options_delta": 0.0,
        "projected_maintenance_margin": maintenance,
        "available_funds": round(equity - initial, 8), "fee_balance": 0.0,
        "options_session_upl": 0.0, "options_gamma": 0.0,
        "futures_pl": round(upl + session, 8), "options_theta_map": {}, "options_gamma_map": {},
        "cross_collateral_enabled": False, "options_value": 0.0, "delta_total": delta,
        "balance": owner.balance_e8[currency] / 1e8,
        "estimated_liquidation_ratio_map": {"btc_usd": 0.0}, "futures_session_upl": upl,
        "currency": CURRENCIES[currency],
        "available_withdrawal_funds": max(0.0, round(min(equity, owner.balance_e8[currency] / 1e8)
                                                     - initial, 8)),
    }


cdef dict ticker_view(Exchange exchange, int32_t market, int64_t t_ns):
    """The ticker; None stands for the price of an empty side."""
    cdef MatchBook book = exchange.books[market]
    cdef Instrument* spec = &book.spec
    cdef MarketData* data = &exchange.data[market]
    cdef double index = round(exchange.indexes[data.index].price_usd, 2)
    cdef double volume = amount_of(spec, data.volume_contracts)
    cdef double first = price_usd(spec, data.first_ticks)
    cdef double mark = data.mark_usd
    cdef bint traded = data.volume_contracts > 0
    cdef list touch = []
    cdef int32_t side
    cdef dict view
    for side in range(2):
        if book.levels.count[side] > 0:
            touch += [price_usd(spec, book.levels.best_ticks[side]),
                      amount_of(spec, book.levels.find(
                          book.levels.best_ticks[side]).total_contracts)]
        else:
            touch += [None, 0.0]
    view = {
        "timestamp": t_ns // 1000000,
        "state": STATES[data.state],
        "stats": {
            "high": price_usd(spec, data.high_ticks) if traded else None,
            "low": price_usd(spec, data.low_ticks) if traded else None,
            "price_change": round((price_usd(spec, data.last_ticks) / first - 1.0) * 100.0, 4)
            if traded and first != 0.0 else None,
            "volume": round(data.volume_btc, 8),
            "volume_usd": volume,
            "volume_notional": volume,
        },
        "index_price": index,
        "instrument_name": (<InstrumentSpec>exchange.specs[market]).name,
        "last_price": price_usd(spec, data.last_ticks) if traded else None,
        "settlement_price": data.settlement_usd,
        "min_price": price_usd(spec, exchange.band_ticks(market, 1)),
        "max_price": price_usd(spec, exchange.band_ticks(market, 0)),
        "open_interest": amount_of(spec, data.open_contracts),
        "mark_price": mark,
    }
    if data.perpetual:
        view["interest_value"] = data.funding_e18 / 1e11
    view["best_ask_price"] = touch[2]
    view["best_bid_price"] = touch[0]
    if data.delivery_usd > 0.0:
        view["delivery_price"] = data.delivery_usd
    view["estimated_delivery_price"] = delivery_estimate(&exchange.indexes[data.index])
    view["best_ask_amount"] = touch[3]
    view["best_bid_amount"] = touch[1]
    if data.perpetual:
        view["current_funding"] = round(data.current_funding, 8)
        view["funding_8h"] = round(data.funding_8h, 8)
    return view


cdef list window_of(MatchBook book, int32_t side, int32_t depth, int32_t group):
    """Up to `depth` [price, amount] rows; group 0 leaves the levels as they are."""
    cdef Instrument* spec = &book.spec
    cdef list rows = []
    cdef list row = None
    cdef int64_t ticks = book.levels.best_ticks[side]
    cdef int64_t step = group * spec.price_scale // spec.tick_units if group > 0 else 1
    cdef int64_t price, amount
    cdef int64_t last = -1
    cdef double shown
    if book.levels.count[side] == 0:
        return rows
    while True:
        price = ticks // step * step if side == SIDE_BID else (ticks + step - 1) // step * step
        amount = book.levels.find(ticks).total_contracts
        shown = <double>(amount * spec.contract_units) / <double>spec.amount_scale
        if price == last:
            row[1] += shown
        elif len(rows) == depth:
            break
        else:
            row = [<double>(price * spec.tick_units) / <double>spec.price_scale, shown]
            rows.append(row)
            last = price
        if not book.levels.worse(side, &ticks):
            break
    return rows


cdef list merged(list changes):
    """user.changes of an interval, one per instrument, last order states and position."""
    cdef dict found = {}
    for one in changes:
        name = one["instrument_name"]
        if name not in found:
            found[name] = {"orders": {}, "trades": [], "positions": []}
        for order in one["orders"]:
            found[name]["orders"][order["order_id"]] = order
        found[name]["trades"] += one["trades"]
        found[name]["positions"] = one["positions"]
    return [{"orders": list(f["orders"].values()), "instrument_name": name,
             "trades": f["trades"], "positions": f["positions"]} for name, f in found.items()]
