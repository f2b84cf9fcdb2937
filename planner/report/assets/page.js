"use strict";
// The page's own script: sliders in, verdict and charts out. The arithmetic is MODELS, made from the planner's formulas.
// Ids of a plan's elements start with its prefix, so that a page can hold several.
const startPlan = (plan, prefix) => {
  const views = {};
  const byId = new Map(plan.options.map((option) => [option.id, option]));
  const element = (id) => document.getElementById(prefix + id);
  const keyOf = (node) => node.id.slice(prefix.length);
  const models = MODELS[plan.model];

  // --- figures, as planner/report/figures.py writes them
  const significant = (value, digits = 3) => {
    if (value === 0 || !Number.isFinite(value)) return value;
    const places = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
    return places >= 0 ? Number(value.toFixed(Math.min(places, 20))) : Math.round(value * 10 ** places) / 10 ** places;
  };
  const fixed = (value, places) =>
    value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  const usd = (value) => {
    if (value === null || !Number.isFinite(value)) return "-";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 100) return fixed(value, 0);
    if (size >= 1) return fixed(value, 2);
    return significant(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 10 });
  };
  const duration = (hours) => {
    if (hours > 0 && hours * 3600 < 0.5) return "less than 1 s";
    if (hours < 1 / 60) return `${fixed(hours * 3600, 0).replace(/,/g, "")} s`;
    if (hours < 1) return `${fixed(hours * 60, 0)} min`;
    if (hours < 72) return `${fixed(hours, 1)} h`;
    if (hours < 24 * 365 * 2) return `${fixed(hours / 24, 1)} days`;
    return `${fixed(hours / 8760, 1)} years`;
  };

  // --- money
  const values = (option, inputs) => {
    const assumptions = { ...plan.assumptions };
    for (const name of Object.keys(assumptions)) {
      if (name.startsWith("own.resale_after_")) assumptions[name] *= inputs.resale;
    }
    const own = byId.get(inputs.own);
    if (own && own.site) assumptions[plan.sites[own.site]["site.electricity_usd_per_kwh"]] = inputs.electricity;
    const v = { ...assumptions, ...option.book };
    for (const name of Object.keys(plan.sites.colocation)) v[name] = 0;
    for (const [name, assumption] of Object.entries(plan.sites[option.site ?? "home"])) v[name] = assumptions[assumption];
    if (option.id === inputs.rent && "book.price_usd_per_hour" in v) v["book.price_usd_per_hour"] = inputs.price;
    v["input.horizon_months"] = inputs.horizon;
    v["input.use_ratio"] = inputs.use;
    const bridge = byId.get(option.bridge);
    if (bridge && bridge.id === inputs.rent && "book.price_usd_per_hour" in bridge.book)
      v["book.bridge_usd_per_hour"] *= inputs.price / bridge.book["book.price_usd_per_hour"];
    return v;
  };
  const sum = (cells) => cells.reduce((a, b) => a + b, 0);
  const discounted = (cost, group) => cost[group].reduce((a, b, month) => a + b * cost.discount[month], 0);
  const costOf = (option, inputs) => {
    const cost = models[option.model](values(option, inputs), plan.months);
    cost.today = discounted(cost, "total");
    cost.paid = sum(cost.total);
    cost.month = cost.paid / cost.last;
    return cost;
  };
  const allCosts = (inputs) => {
    return new Map(plan.options.map((option) => [option.id, costOf(option, inputs)]));
  };

  // Follow what owning has saved from knot to knot; a month has one before and one after the lumps at its end.
  const crossing = (rent, own) => {
    let after = 0, paid = 0;
    const knots = [];
    for (let month = 0; month < rent.total.length; month++) {
      const factor = rent.discount[month];
      const lumps = (rent.lumps[month] - own.lumps[month]) * factor;
      const steady = (rent.total[month] - own.total[month]) * factor - lumps;
      if (month) knots.push([month, after + steady, false]);
      after += steady + lumps;
      knots.push([month, after, true]);
      paid += Math.abs(lumps) + Math.abs(steady);
    }
    const hair = 1e-12 * paid;
    let at = 0;
    for (let i = 1; i < knots.length; i++) {
      const [, value] = knots[i - 1];
      const [month, target, isLump] = knots[i];
      if (value < -hair && target >= -hair) at = isLump ? month : month - 1 + Math.min(Math.max(value / (value - target), 0), 1);
    }
    return knots[knots.length - 1][1] >= -hair ? at : null;
  };

  const isEligible = (option, inputs) =>
    option.eligible && (option.kind !== "buy" || plan.once || plan.assumptions["own.lead_time_months"] < inputs.horizon);
  const cheapest = (options, costs) =>
    options.reduce((best, option) => (!best || costs.get(option.id).today < costs.get(best.id).today ? option : best), null);
  const choose = (costs, inputs) => {
    const today = (option) => costs.get(option.id).today;
    const isRented = (option) => option.kind === "rent" || option.kind === "cpu";
    // Options that cost the same but for rounding keep the order of the plan, as in `planner.verdict.ranking.alike`.
    const alike = (option) => Math.round(Math.asinh(today(option)) / plan.same_share);
    const ranked = plan.options.filter((option) => isEligible(option, inputs)).sort((a, b) => alike(a) - alike(b));
    const free = ranked.find((option) => !option.binds);
    const rent = ranked.find(isRented);
    // What binds for more than a year has to be cheaper by a margin, and what is bought before the last part of the horizon.
    const paysOff = (own) => {
      const month = rent ? crossing(costs.get(rent.id), costs.get(own.id)) : 0;
      return month !== null && month <= inputs.horizon * (1 - plan.assumptions["verdict.last_months_share"]);
    };
    const isWorthIt = (option) =>
      today(option) < today(free) * (1 - plan.assumptions["verdict.buy_margin_share"]) && (option.kind !== "buy" || paysOff(option));
    const sorts = ["rent", "cpu", "buy"].map((kind) => ranked.find((option) => option.binds && option.kind === kind));
    const taken = free ? ranked.find((option) => option === free || (sorts.includes(option) && isWorthIt(option))) : ranked[0];
    if (!taken || !isRented(taken)) return taken;
    // Machines have to be set up, which is not worth it for next to nothing.
    const hosted = ranked.find((option) => option.kind === "api" && today(option) < today(taken) + plan.assumptions["verdict.trivial_usd"]);
    return hosted ?? taken;
  };

  const money = (option, cost, inputs) =>
    plan.once
      ? `${usd(cost.paid)} USD for the run${option.hours === null ? "" : ` of ${duration(option.hours)}`}`
      : `${usd(cost.month)} USD a month${option.staged ? " on average" : ""}`;
  const rivals = { rent: "rented GPUs", buy: "servers of your own", cpu: "rented CPUs" };
  const headline = (chosen, costs, inputs) => {
    const cost = costs.get(chosen.id);
    const givenBack = (option) => (Math.abs(inputs.use - 1) < 0.01 ? option.given_back : "");
    const start = `${chosen.head}, for ${money(chosen, cost, inputs)}${givenBack(chosen)}`;
    const others = (kind) => plan.options.filter((option) => option.kind === kind && isEligible(option, inputs));
    const allowed = cheapest(others("buy"), costs);
    const owned = allowed ?? cheapest(plan.options.filter((option) => option.kind === "buy"), costs);
    if (chosen.kind === "rent") {
      const month = owned ? crossing(cost, costs.get(owned.id)) : null;
      if (plan.once) return `${start}; a single run does not justify buying a server.`;
      if (month === null) return `${start}; buying does not pay off within ${inputs.horizon} months.`;
      return allowed ? `${start}; buying would pay off from month ${month.toFixed(0)} on.` : `${start}.`;
    }
    if (chosen.kind === "buy") {
      const rent = cheapest(others("rent"), costs);
      const month = rent ? crossing(costs.get(rent.id), cost) : null;
      return `${start} all in${month === null ? "" : `; against the cheapest rent it pays off from month ${month.toFixed(0)} on`}.`;
    }
    if (chosen.kind === "api") {
      const kinds = ["rent", "buy", "cpu"].map((kind) => cheapest(others(kind).filter((option) => kind === "buy" || option.choosable), costs)).filter(Boolean);
      const rival = cheapest(kinds, costs);
      if (!rival) return `${start}.`;
      const its = costs.get(rival.id);
      const more = !plan.once && its.month < cost.month ? ", more as NPV" : "";
      return `${start}, against ${money(rival, its, inputs)} for ${rivals[rival.kind]}${givenBack(rival)}${more}.`;
    }
    return chosen.kind === "free" ? plan.headline : `${start}.`;
  };

  // --- what the charts show
  const paidRows = (shown, horizon) => {
    const rows = [];
    for (const [what, cost] of shown) {
      let after = 0;
      for (let month = 0; month <= horizon; month++) {
        const factor = cost.discount[month];
        const before = after + (cost.total[month] - cost.lumps[month]) * factor;
        after += cost.total[month] * factor;
        if (month && before !== after) rows.push({ what, month, usd: before, step: 2 * month });
        rows.push({ what, month, usd: after, step: 2 * month + 1 });
      }
    }
    return rows;
  };
  const equalRows = (rent, own, price, now) => {
    const part = (cost, group, useGroup) => [discounted(cost, group) - discounted(cost, useGroup), discounted(cost, useGroup)];
    const [rentKept, rentUse] = part(rent, "total", "use");
    const [ownKept, ownUse] = part(own, "total", "use");
    const [rentPriceKept, rentPriceUse] = part(rent, "price", "usePrice");
    const [ownPriceKept, ownPriceUse] = part(own, "price", "usePrice");
    const rows = [];
    for (let step = 1; step <= 50; step++) {
      const scale = step / 50 / now;
      const saving = rentKept - ownKept + (rentUse - ownUse) * scale;
      const rises = rentPriceKept - ownPriceKept + (rentPriceUse - ownPriceUse) * scale;
      if (rises > 0) rows.push({ needed_percent: step * 2, usd_per_hour: Math.max(price * (1 - saving / rises), 0) });
    }
    return rows;
  };

  // --- the form
  const form = element("controls");
  const read = () => {
    const number = (id, otherwise) => (element(id) ? Number(element(id).value) : otherwise);
    const own = byId.get(plan.own);
    const needed = number("needed", (own?.needed ?? 1) * 100) / 100;
    return {
      rent: element("compared")?.value ?? plan.rent,
      own: plan.own,
      needed,
      use: own && !plan.once ? needed / own.needed : 1,
      horizon: Math.round(number("horizon", plan.horizon_months)),
      price: number("price", 0),
      electricity: number("electricity", 0),
      resale: number("resale", 1),
    };
  };
  const tidy = (input) => {
    // A slider starts at the plan's own number, which need not be on a step; moved, it keeps to steps.
    const step = Number(input.dataset.step);
    if (Number(input.value) !== Number(input.defaultValue)) input.value = String(Number((Math.round(input.value / step) * step).toPrecision(12)));
  };
  const show = (input) => {
    const output = element(`${keyOf(input)}-shown`);
    const value = Number(input.value);
    const text = keyOf(input) === "horizon" ? String(Math.round(value)) : String(significant(value));
    output.textContent = `${text} ${output.dataset.unit}`;
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const set = (view, name, rows) => view.data(name, rows);

  const update = () => {
    const inputs = read();
    const costs = allCosts(inputs);
    const chosen = choose(costs, inputs);
    const said = headline(chosen, costs, inputs);
    if (!form) return;
    const rent = costs.get(inputs.rent);
    const own = costs.get(inputs.own);
    const month = crossing(rent, own);
    const saving = rent.today - own.today;
    const when = month === null ? `does not pay off within ${inputs.horizon} months` : `pays off from month ${month.toFixed(1)} on`;
    element("live").textContent =
      `${isPlanned() ? "" : `With these values: ${said} `}Against the rent above, owning ${when}; over ${inputs.horizon} months it ${saving >= 0 ? "saves" : "costs"} ${usd(Math.abs(saving))} USD ${saving >= 0 ? "" : "more "}(NPV).`;
    element("pair").textContent = `${byId.get(inputs.rent).label}, against ${byId.get(inputs.own).label}`;
    if (views.paid) {
      const shown = [["rent", rent], ["own", own]];
      const verdict = byId.get(plan.choice);
      if (verdict && !["rent", "buy"].includes(verdict.kind)) shown.push(["the verdict", costs.get(verdict.id)]);
      const end = plan.once ? Math.min(inputs.horizon, Math.max(...shown.map(([, cost]) => cost.last)) + 2) : inputs.horizon;
      set(views.paid, "paid", paidRows(shown, end));
      set(views.paid, "crossing", [{ month: month ?? 0, label: month === null ? "" : `month ${month.toFixed(1)}` }]);
      views.paid.runAsync();
    }
    if (views.equal) {
      const rows = equalRows(rent, own, inputs.price, inputs.needed);
      const near = rows.find((row) => row.needed_percent >= inputs.needed * 100);
      set(views.equal, "equal", rows);
      set(views.equal, "here", [{ needed_percent: inputs.needed * 100, usd_per_hour: inputs.price, label: "you are here" }]);
      views.equal.signal("equal_top", 2.5 * Math.max(inputs.price, near ? near.usd_per_hour : 0) || 1);
      views.equal.runAsync();
    }
  };
  const sliders = form ? [...form.querySelectorAll("input[type=range]")] : [];
  const isPlanned = () =>
    sliders.every((input) => Number(input.value) === Number(input.defaultValue)) && (!element("compared") || element("compared").value === plan.rent);
  const take = (id) => {
    // Another rent brings its own price.
    const slider = element("price");
    const price = byId.get(id).book["book.price_usd_per_hour"];
    slider.max = String(significant(price * 4));
    slider.dataset.step = String(significant(price / 100));
    slider.setAttribute("value", String(price));
    slider.value = String(price);
    show(slider);
  };

  const start = () => {
    const drawn = Object.entries(plan.charts).map(([key, spec]) =>
      vegaEmbed(element(`chart-${key}`), spec, {
        ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true },
      }).then((result) => { views[key] = result.view; }));
    if (form) listen();
    return Promise.all(drawn).then(() => { if (form && !isPlanned()) update(); });
  };
  const listen = () => {
    form.hidden = false;
    let waiting = 0;
    form.addEventListener("input", (event) => {
      if (keyOf(event.target) === "compared") take(event.target.value);
      else { tidy(event.target); show(event.target); }
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(update);
    });
    element("reset").addEventListener("click", () => {
      element("compared").value = plan.rent;
      take(plan.rent);
      for (const input of sliders) { input.value = input.defaultValue; show(input); }
      update();
    });
    for (const input of sliders) show(input);
    update();
  };

  // --- tables that sort
  const cellValue = (cell) => {
    const number = Number(cell.replace(/[,%]/g, "").trim());
    return cell.trim() !== "" && Number.isFinite(number) ? number : cell;
  };
  for (const table of element("main").querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      head.querySelector("button").addEventListener("click", () => {
        const isUp = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        const isNumber = head.classList.contains("n");
        const key = (row) => {
          const value = isNumber ? parseFloat(row.cells[index].textContent.replace(/,/g, "")) : cellValue(row.cells[index].textContent);
          return isNumber && Number.isNaN(value) ? Infinity : value;
        };
        rows.sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return (isUp ? 1 : -1) * (Number.isNaN(order) ? 0 : order);
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  // For those who want the figures from the console, and for tests.
  window.gpuplan ??= { plan, read, allCosts, choose, headline, crossing, equalRows };
  return start();
};
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
(async () => {
  for (const data of document.querySelectorAll("script[type='application/json']")) {
    // One after the other: the first can be read while the others are drawn.
    await startPlan(JSON.parse(data.textContent), data.id.slice(0, -"plan".length));
  }
  document.documentElement.dataset.ready = "yes";
})();
