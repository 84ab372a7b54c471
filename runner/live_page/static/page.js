"use strict";
// The live page. It asks twice a second and draws what came; it talks to nobody else.

const ASK_MS = 500;
const HISTORY_MAX = 3600;
const CHART_HEIGHT = 240;
const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let chosen = 0;                 // index of the instrument shown
let past = [];                  // samples, one a second
let charts = {};
let last = null;
let token = "";
let asking = false;

// ------------------------------------------------------------------ words
function number(value, digits = 1) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const text = value.toLocaleString("en-US",
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return /[1-9]/.test(text) ? text : text.replace("-", "");     // never "-0"
}

function signed(value, digits) {
  if (value === null || value === undefined) return "–";
  return (value > 0 ? "+" : "") + number(value, digits);
}

function clock(ms) {
  return new Date(ms).toISOString().slice(11, 19);
}

function short(value) {
  if (value === 0 || Math.abs(value) >= 1000) return number(value, 0);
  return Math.abs(value) >= 0.01 ? number(value, 3) : value.toExponential(1);
}

function pairs(list, rows) {
  list.replaceChildren(...rows.map(([name, text, kind]) => {
    const both = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = text;
    dd.dataset.name = name;
    if (kind) dd.className = kind;
    both.append(dt, dd);
    return both;
  }));
}

function table(element, head, rows) {
  const line = (cells, tag) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map((cell) => {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      const td = document.createElement(tag);
      td.textContent = text;
      if (kind) td.className = kind;
      return td;
    }));
    return tr;
  };
  const body = document.createElement("tbody");
  body.append(line(head, "th"), ...rows.map((row) => line(row, "td")));
  element.replaceChildren(body);
}

// ------------------------------------------------------------------ parts of the page
function showHead(state) {
  const info = state.info;
  $("venue").textContent = `${info.instance ? info.instance + " · " : ""}${info.venue} · `
    + `${info.version} · config ${info.config}`;
  const word = state.up ? state.risk_state : "silent";
  $("state").textContent = word;
  $("state").className = `pill ${word}`;
  const alarms = [];
  if (!state.up) alarms.push(`no engine publishes (last ${number(state.age_s, 0)} s ago)`);
  if (state.up && !state.process.connected) alarms.push("not connected");
  if (state.figures.fault) alarms.push(`fault ${state.figures.fault}`);
  if (state.figures.unknown_orders) alarms.push(`${state.figures.unknown_orders} orders unknown`);
  if (state.figures.journal_lost) alarms.push("journal records lost");
  $("alarm").textContent = alarms.join(" · ");
  for (const id of ["pause", "resume", "kill"]) $(id).disabled = !state.up;
}

function showFigures(state) {
  const f = state.figures, us = f.tick_to_order_us, market = state.markets[chosen];
  const money = state.profit_btc < 0 ? "ask" : "bid";
  pairs($("figures"), [
    ["P&L, BTC", signed(state.profit_btc, 8), money],
    ["realised", signed(f.realized_btc, 8)], ["unrealised", signed(f.unrealized_btc, 8)],
    ["fees paid", signed(f.fees_btc, 8)], ["funding", signed(f.funding_btc, 8)],
    ["equity, BTC", number(f.equity_btc, 8)],
    ["drawdown, BTC", number(f.drawdown_btc, 8)],
    ["net delta, BTC", `${signed(f.delta_btc, 4)} of ${number(f.delta_limit_btc, 3)}`],
    ["position, USD", signed(market.position_usd, 0)],
    ["average", market.average_usd > 0 ? number(market.average_usd, 1) : "–"],
    ["fills", number(f.fills, 0)], ["of them maker", number(f.maker_fills, 0)],
    ["tick to order p50", us.p50 === null ? "–" : `${number(us.p50, 0)} µs`],
    ["p99", us.p99 === null ? "–" : `${number(us.p99, 0)} µs`],
    ["round trip p95", `${number(f.round_trip_seconds * 1000, 1)} ms`],
    ["feed lag", `${number(market.feed_lag_seconds * 1000, 0)} ms`],
    ["new / edit / cancel",
      `${number(f.orders_new, 0)} / ${number(f.orders_edit, 0)} / ${number(f.orders_cancel, 0)}`],
    ["refused", number(f.rejects, 0), f.rejects ? "warn" : ""],
    ["credits", `${number(f.credits, 0)} of ${number(f.credits_burst, 0)}`],
    ["book gaps", number(f.book_gaps, 0), f.book_gaps ? "warn" : ""],
    ["guard", !state.process.guard_wanted ? "off" : state.process.guard_warm ? "warm" : "cold",
      state.process.guard_wanted && !state.process.guard_warm ? "warn" : ""],
  ]);
}

function showTabs(state) {
  if (state.markets.length < 2) return;
  $("tabs").replaceChildren(...state.markets.map((market, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = market.name;
    button.className = i === chosen ? "chosen" : "";
    button.onclick = () => { chosen = i; drop(); show(last); };
    return button;
  }));
}

function showBook(market) {
  $("bookstate").textContent = market.name
    + (market.book_valid ? ` · spread ${number(market.spread_usd, 1)}` : " · INVALID");
  const rows = [];
  const own = { bids: new Map(market.own_bids), asks: new Map(market.own_asks) };
  const deep = Math.max(market.bids.length, market.asks.length);
  const side = (name, i) => {
    const level = market[name][i];
    if (!level) return ["", "", ""];
    const mine = own[name].get(level[0]);
    own[name].delete(level[0]);
    return [mine ? number(mine, 0) : "", number(level[1], 0), number(level[0], 1)];
  };
  for (let i = 0; i < deep; i++) {
    const bid = side("bids", i), ask = side("asks", i);
    rows.push([[bid[0], "own"], bid[1], [bid[2], "bid"], [ask[2], "ask"], ask[1], [ask[0], "own"]]);
  }
  for (const [at, mine] of own.bids)
    rows.push([[number(mine, 0), "own"], "", [number(at, 1), "dim"], "", "", ""]);
  for (const [at, mine] of own.asks)
    rows.push(["", "", "", [number(at, 1), "dim"], "", [number(mine, 0), "own"]]);
  table($("book"), ["ours", "amount", "bid", "ask", "amount", "ours"], rows);
}

function showQuote(market) {
  const rows = [
    ["bid / ask", `${market.quote_bid_usd ? number(market.quote_bid_usd, 1) : "–"} / `
      + `${market.quote_ask_usd ? number(market.quote_ask_usd, 1) : "–"}`],
    ["reference", number(market.reference_usd, 2)], ["mark", number(market.mark_usd, 2)],
    ["half-spread", `${number(market.half_spread_usd, 2)} USD`],
    ["of it base / volatility",
      `${number(market.half_base_usd, 2)} / ${number(market.half_vol_usd, 2)}`],
    ["market share / drought",
      `${number(market.half_market_usd, 2)} / ${number(market.drought_usd, 2)}`],
    ["factor / fee floor",
      `${number(market.spread_factor, 2)} / ${number(market.fee_floor_usd, 2)}`],
    ["further out: pad", number(market.pad_usd, 2)],
    ["markout bid / ask",
      `${number(market.markout_add_bid_usd, 2)} / ${number(market.markout_add_ask_usd, 2)}`],
    ["inventory shift", `${signed(market.skew_usd, 2)} USD`],
    ["signal shift", `${signed(market.alpha_usd, 2)} USD`],
    ["carry", `${signed(market.carry_usd, 2)} USD`],
    ["regime", market.regime_word],
    ["volatility", `${number(market.vol_usd, 2)} USD/√s`],
    ["open orders", number(market.open_orders, 0)],
  ];
  if (market.take) rows.push(["take", `${signed(market.take_amount, 0)}: ${market.take_word}`, "warn"]);
  if (market.no_bid) rows.push(["no bid", market.no_bid, "warn"]);
  if (market.no_ask) rows.push(["no ask", market.no_ask, "warn"]);
  pairs($("quote"), rows);
}

function flat(why, under = "") {
  return Object.entries(why).flatMap(([name, value]) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value))
      return flat(value, `${name.replaceAll("_", " ")} `);
    const text = Array.isArray(value) ? value.map((v) => typeof v === "number"
      ? number(v, Number.isInteger(v) ? 0 : 3) : String(v)).join(", ")
      : typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 3) : String(value);
    return [[under + name.replaceAll("_", " "), text]];
  });
}

function showLate(state, market) {
  const mine = (rows) => rows.filter((row) => row.instrument_name === market.name);
  table($("fills"), ["time", "side", "price", "amount", "fee BTC", ""], mine(state.fills).map((t) => [
    clock(t.timestamp), [t.direction, t.direction], number(t.price, 1), number(t.amount, 0),
    signed(t.fee, 8), t.liquidity === "M" ? "maker" : "taker"]));
  table($("trades"), ["time", "side", "price", "amount"], mine(state.trades).map((t) => [
    clock(t.timestamp), [t.direction, t.direction], number(t.price, 1), number(t.amount, 0)]));
  const why = state.why[chosen];
  pairs($("why"), why ? flat(why) : [["", "none yet"]]);
  pairs($("parts"), Object.entries(market.parts_btc).map(
    ([name, value]) => [name.replaceAll("_", " "), signed(value, 8)]));
  const horizons = Object.keys(market.markouts_bps.bid);
  table($("markouts"), ["after", ...horizons], ["bid", "ask"].map(
    (name) => [name, ...horizons.map((h) => signed(market.markouts_bps[name][h], 2))]));
  const lines = state.changes.map((c) => `set by ${c.who}: `
    + c.changes.map((x) => `${x.key} ${x.old} → ${x.new}`).join(", "));
  $("log").replaceChildren(...lines.map((text) => ["", text]).concat(state.log.map((row) => [
    row.level, `${row.time.slice(11, 19)} ${row.level} ${row.logger}: ${row.message}`])).map(
    ([level, text]) => {
      const li = document.createElement("li");
      li.textContent = text;
      li.className = level === "ERROR" ? "bad" : level === "WARNING" ? "warn" : "";
      return li;
    }));
}

// ------------------------------------------------------------------ charts
function chart(id, series) {
  const axis = { stroke: css("--dim"), grid: { stroke: css("--line"), width: 1 },
    ticks: { stroke: css("--line") } };
  return new uPlot({
    width: $(id).clientWidth, height: CHART_HEIGHT,
    series: [{ value: (_, s) => s === null ? "--" : clock(s * 1000) }, ...series],
    axes: [{ ...axis, space: 80, values: (_, at) => at.map((s) => clock(s * 1000)) },
      { ...axis, size: 78, values: (_, at) => at.map(short) }],
    cursor: { drag: { x: true, y: false } }, scales: { x: { time: true } },
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "Etc/UTC"),
  }, [[], ...series.map(() => [])], $(id));
}

function points(label, stroke) {
  return { label, stroke, paths: () => null, points: { show: true, size: 8, fill: stroke } };
}

function drop() {
  for (const each of Object.values(charts)) each.destroy();
  charts = {};
}

function make() {
  const line = (label, colour) => ({ label, stroke: css(colour), width: 1.5, spanGaps: false,
    points: { show: false } });
  charts = {
    prices: chart("prices", [line("mid", "--dim"), line("our bid", "--bid"),
      line("our ask", "--ask"), points("bought", css("--bid")), points("sold", css("--ask"))]),
    profit: chart("profit", [line("profit", "--own")]),
    inventory: chart("inventory", [line("position", "--own"), line("net delta", "--warn")]),
  };
}

function draw(state) {
  if (!past.length) return;
  if (!charts.prices) make();
  const times = past.map((s) => s.t);
  const column = (at) => past.map((s) => s.markets[chosen] ? s.markets[chosen][at] : null);
  const fills = { buy: times.map(() => null), sell: times.map(() => null) };
  for (const fill of state.fills) {
    if (fill.instrument_name !== state.markets[chosen].name) continue;
    const at = fill.timestamp / 1000;
    if (at < times[0] - 1) continue;
    let i = times.length - 1;
    while (i > 0 && times[i - 1] >= at) i--;
    fills[fill.direction][i] = fill.price;
  }
  charts.prices.setData([times, column(0), column(1), column(2), fills.buy, fills.sell]);
  charts.profit.setData([times, past.map((s) => s.profit_btc)]);
  charts.inventory.setData([times, column(3), past.map((s) => s.delta_btc)]);
}

// ------------------------------------------------------------------ asking
function show(state) {
  if (!state || !state.found) {
    $("alarm").textContent = "no maker found yet";
    return;
  }
  if (chosen >= state.markets.length) chosen = 0;
  const market = state.markets[chosen];
  showHead(state);
  showFigures(state);
  showTabs(state);
  showBook(market);
  showQuote(market);
  showLate(state, market);
  draw(state);
}

async function ask() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch("/api/state");
    last = await answer.json();
    if (last.found && (!past.length || last.sample.t - past[past.length - 1].t >= 1)) {
      past.push(last.sample);
      if (past.length > HISTORY_MAX) past.shift();
    }
    show(last);
  } catch (error) {
    $("alarm").textContent = "mm dashboard does not answer";
    for (const id of ["pause", "resume", "kill"]) $(id).disabled = true;
  }
  asking = false;
}

async function command(name) {
  const answer = await fetch("/api/control", {
    method: "POST", headers: { "X-MM-Token": token, "Content-Type": "application/json" },
    body: JSON.stringify({ command: name }) });
  const told = await answer.json();
  if (answer.status === 403) token = "";
  sessionStorage.setItem("token", token);
  $("said").textContent = answer.ok && told.ok !== false ? `${name}: the maker is ${told.state}`
    : `${name} refused: ${told.error}`;
}

const QUESTIONS = {
  pause: "Pause: nothing adds any more, what reduces the position goes on.",
  resume: "Resume quoting.",
  kill: "Kill: cancel everything and latch. The position stays. No start before mm ctl unkill.",
};

function confirmed(name) {
  $("question").textContent = QUESTIONS[name];
  $("tokenrow").hidden = token !== "";
  $("token").value = "";
  $("yes").textContent = name === "kill" ? "Kill it" : "Do it";
  $("ask").onclose = () => {
    if ($("ask").returnValue !== "yes") return;
    token = token || $("token").value;
    command(name).catch((error) => { $("said").textContent = `${name}: ${error.message}`; });
  };
  $("ask").returnValue = "no";
  $("ask").showModal();
}

async function begin() {
  token = new URLSearchParams(location.hash.slice(1)).get("token")
    || sessionStorage.getItem("token") || "";
  sessionStorage.setItem("token", token);
  if (location.hash) history.replaceState(null, "", "/");       // out of sight and of the history
  for (const id of ["pause", "resume", "kill"]) $(id).onclick = () => confirmed(id);
  addEventListener("resize", () => { drop(); if (last) show(last); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    drop();
    if (last) show(last);
  });
  document.addEventListener("visibilitychange", ask);
  try {
    past = await (await fetch("/api/history")).json();
  } catch (error) {
    past = [];
  }
  setInterval(ask, ASK_MS);
  ask();
}

begin();
