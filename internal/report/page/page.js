"use strict";
(() => {
  const $ = (s, in_) => (in_ || document).querySelector(s), $$ = (s, in_) => [...(in_ || document).querySelectorAll(s)];
  const data = JSON.parse($("#data").textContent);
  const steps = (data.steps || []).map((s, i) => ({ i, id: s[0], recipe: s[0].split("/")[0], outcome: data.outcomes[s[1]], reason: data.reasons[s[2]], us: s[3], last: s[4], critical: s[5] === 1, log: s[6], tail: s[7], needs: s[8], by: [] }));
  const byID = new Map(steps.map(s => [s.id, s]));
  for (const s of steps) for (const n of s.needs) steps[n].by.push(s.i);
  const bars = (data.bars || []).map((b, i) => ({ i, step: b[0], start: b[1], us: b[2], worker: b[3], reason: data.reasons[b[4]] }));
  const files = (data.files || []).map((f, i) => ({ i, path: f[0], size: f[1], recipe: f[2], backend: f[3], crates: f[4], sha256: f[5] }));

  const time = us => {
    const s = us / 1e6;
    if (s < 1) return Math.trunc(us / 1000) + " ms";
    if (s < 10) return s.toFixed(1) + "s";
    if (s < 60) return Math.round(s) + "s";
    const two = n => String(n).padStart(2, "0");
    if (s < 3600) return Math.trunc(s / 60) + "m" + two(Math.trunc(s % 60)) + "s";
    return Math.trunc(s / 3600) + "h" + two(Math.trunc(s / 60) % 60) + "m";
  };
  const bytes = n => n < 1024 ? n + " B" : n < 1048576 ? (n / 1024).toFixed(1) + " KiB" : n < 1073741824 ? (n / 1048576).toFixed(1) + " MiB" : (n / 1073741824).toFixed(2) + " GiB";
  const el = (name, props, ...children) => {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(props || {})) if (k === "class") e.className = v; else if (k.startsWith("on")) e[k] = v; else e.setAttribute(k, v);
    e.append(...children.filter(c => c !== null && c !== undefined && c !== ""));
    return e;
  };
  const dotOf = o => ({ "ran": "ran", "failed": "failed", "up to date": "uptodate", "skipped": "skipped", "from the remote cache": "fetched" })[o] || "unknown";

  // What is chosen, in the drawer.
  const drawer = $("#drawer"), detail = $("#detail");
  let opener = null;
  const show = (...children) => { detail.replaceChildren(...children); drawer.hidden = false; drawer.scrollTop = 0; };
  const shut = () => {
    drawer.hidden = true;
    $$(".chosen").forEach(e => e.classList.remove("chosen"));
    $$(".chosenrow").forEach(e => e.classList.remove("chosenrow"));
    if (opener && opener.isConnected) opener.focus();
    opener = null;
  };
  $("#shut").onclick = shut;
  const stepLink = i => el("button", { class: "link", onclick: () => chooseStep(i) }, steps[i].id);
  const linkList = list => {
    const span = el("span", {});
    list.slice(0, 12).forEach((i, n) => span.append(n ? ", " : "", stepLink(i)));
    if (list.length > 12) span.append(` and ${list.length - 12} more`);
    return span;
  };
  const pairs = list => {
    const dl = el("dl", {});
    for (const [name, value] of list) if (value !== "" && value !== null && value !== undefined) dl.append(el("dt", {}, name), el("dd", {}, value));
    return dl;
  };
  let current = -1; // bar
  function chooseStep(i) {
    const s = steps[i], mine = bars.filter(b => b.step === i);
    $$(".chosen").forEach(e => e.classList.remove("chosen"));
    $$(`.bar[data-step="${i}"]`).forEach(e => e.classList.add("chosen"));
    lightRecipe(s.recipe, false);
    if (mine.length) current = mine[0].i;
    show(el("h3", {}, s.id), pairs([
      ["how", el("span", {}, el("span", { class: "badge" }, s.outcome || "not reached"), s.critical ? el("span", { class: "badge" }, "on the critical path") : "")],
      ["why", s.reason], ["took", s.us ? `${time(s.us)}, ${(s.us * 100 / data.whole).toFixed(1)} % of the build` : ""],
      ["began", mine.length && s.us ? `${time(mine[0].start)} after the start, on worker ${mine[0].worker + 1}` : ""],
      ["last time", !s.us && s.last ? time(s.last) : ""],
      ["again", mine.length > 1 ? `it ran ${mine.length} times: its output was lost meanwhile` : ""],
      ["needs", s.needs.length ? linkList(s.needs) : ""], ["needed by", s.by.length ? linkList(s.by) : ""],
      ["log", s.log ? el("code", {}, s.log) : ""], ["more", el("code", {}, "mage why " + s.id)],
    ]), s.tail ? el("pre", {}, s.tail) : "");
  }
  function chooseFile(i) {
    const f = files[i], named = f.crates.reduce((n, c) => n + c[1], 0);
    $$(".chosenrow").forEach(e => e.classList.remove("chosenrow"));
    $$(`tr.file[data-file="${i}"]`).forEach(e => e.classList.add("chosenrow"));
    const crates = el("dl", {});
    for (const [name, size] of f.crates.slice(0, 25)) {
      const fill = el("i", {});
      fill.style.width = (size * 100 / f.size) + "%";
      crates.append(el("dt", {}, name), el("dd", {}, bytes(size) + ` (${(size * 100 / f.size).toFixed(1)} %)`, el("span", { class: "meter" }, fill)));
    }
    show(el("h3", {}, f.path), pairs([["size", `${bytes(f.size)}, ${(f.size * 100 / data.image).toFixed(1)} % of the image`], ["recipe", f.recipe], ["backend", f.backend], ["sha256", el("code", {}, f.sha256)]]),
      f.crates.length ? el("h3", { style: "margin-top:12px" }, "crates") : "", crates, f.crates.length ? el("p", { class: "hint" }, `${bytes(f.size - named)} are constants, tables and what has no name`) : "");
  }

  // Timeline.
  const scroll = $("#scroll"), line = $("svg.timeline");
  let zoom = 1;
  const setZoom = (z, at) => {
    if (!line) return;
    const old = line.getBoundingClientRect().width, centre = (scroll.scrollLeft + (at ?? scroll.clientWidth / 2)) / old;
    zoom = Math.min(400, Math.max(1, z));
    line.style.width = zoom === 1 ? "" : zoom * 100 + "%";
    scroll.scrollLeft = centre * line.getBoundingClientRect().width - (at ?? scroll.clientWidth / 2);
    label();
  };
  // Zoomed in, bars that had no room for their names have it.
  const label = () => {
    const width = line.getBoundingClientRect().width;
    for (const e of $$(".bar", line)) {
      const has = e.lastElementChild.tagName === "text", b = bars[+e.dataset.bar];
      if (has || e.getAttribute("height") < 20 || b.us / data.whole * width < 46) continue;
      const t = document.createElementNS("http://www.w3.org/2000/svg", "text");
      t.setAttribute("x", "7");
      t.setAttribute("y", "16");
      t.textContent = steps[b.step].id + "  " + time(b.us);
      e.append(t);
    }
  };
  if (line) {
    $("#in").onclick = () => setZoom(zoom * 2);
    $("#out").onclick = () => setZoom(zoom / 2);
    $("#fit").onclick = () => setZoom(1);
    $("#only").onclick = () => $("#only").setAttribute("aria-pressed", line.classList.toggle("onlycritical"));
    scroll.addEventListener("wheel", e => { if (e.ctrlKey || e.metaKey) { e.preventDefault(); setZoom(zoom * (e.deltaY < 0 ? 1.25 : 0.8), e.clientX - scroll.getBoundingClientRect().left); } }, { passive: false });
    line.addEventListener("click", e => { const b = e.target.closest(".bar"); if (b) { current = +b.dataset.bar; chooseStep(+b.dataset.step); } });
    scroll.addEventListener("keydown", e => {
      const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[e.key];
      if (e.key === "Enter" && current >= 0) { opener = scroll; chooseStep(bars[current].step); return; }
      if (!move) return;
      e.preventDefault();
      current = neighbour(current, move[0], move[1]);
      if (current < 0) return;
      $$(".bar.chosen").forEach(b => b.classList.remove("chosen"));
      const next = $(`.bar[data-bar="${current}"]`, line);
      if (next) { next.classList.add("chosen"); next.scrollIntoView({ block: "nearest", inline: "nearest" }); }
      if (!drawer.hidden) chooseStep(bars[current].step);
    });
    label();
    addEventListener("resize", label);
  }
  function neighbour(from, dx, dy) {
    const drawn = bars.filter(b => $(`.bar[data-bar="${b.i}"]`, line));
    if (from < 0) return drawn.length ? drawn[0].i : -1;
    const b = bars[from];
    const worker = b.worker + dy;
    let best = -1, distance = Infinity;
    for (const other of drawn) {
      if (other.worker !== worker || other.i === from) continue;
      const d = dx ? (other.start - b.start) * dx : Math.abs(other.start - b.start);
      if (d >= 0 && d < distance && (!dx || other.i !== from)) { best = other.i; distance = d; }
    }
    return best < 0 ? from : best;
  }

  // Graph.
  const graph = $("svg.graph");
  function lightRecipe(name, unfold) {
    if (!graph) return;
    $$(".node.chosen", graph).forEach(n => n.classList.remove("chosen"));
    $$(".edge", graph).forEach(e => e.classList.toggle("lit", e.dataset.from === name || e.dataset.to === name));
    $$(".node", graph).forEach(n => { if (n.dataset.recipe === name) n.classList.add("chosen"); });
    const d = $$("details.recipe").find(d => d.dataset.recipe === name);
    if (unfold && d) { d.open = true; d.scrollIntoView({ block: "nearest" }); }
  }
  if (graph) {
    // Of a graph that is larger than its frame, what is wanted is on the right.
    const frame = graph.parentElement, last = $$(".node", graph).pop();
    if (last) { frame.scrollLeft = frame.scrollWidth; frame.scrollTop = last.getBoundingClientRect().top - frame.getBoundingClientRect().top - frame.clientHeight / 2; }
  }
  if (graph) graph.addEventListener("click", e => { const n = e.target.closest(".node"); if (n) lightRecipe(n.dataset.recipe, true); });
  let wanted = "";
  const hit = text => text.toLowerCase().includes(wanted);
  const matches = s => !wanted || hit(s.id) || hit(s.reason || "") || hit(s.outcome || "");
  const fill = d => {
    const list = $("ol", d);
    list.replaceChildren(...steps.filter(s => s.recipe === d.dataset.recipe && matches(s)).map(s => el("li", {}, el("button", { class: "step" + (s.critical ? " critical" : ""), "data-step": s.i, onclick: e => { opener = e.currentTarget; chooseStep(s.i); } },
      el("span", { class: "dot " + dotOf(s.outcome), title: s.outcome }), el("span", { class: "id" }, s.id), el("span", { class: "why" }, s.reason || s.outcome), el("span", { class: "num" }, s.us ? time(s.us) : "")))));
  };
  const recipes = $$("details.recipe");
  recipes.forEach(d => d.addEventListener("toggle", () => { if (d.open) fill(d); }));
  if (recipes.length) {
    $("#unfold").onclick = () => recipes.forEach(d => { if (!d.hidden) d.open = true; });
    $("#fold").onclick = () => recipes.forEach(d => d.open = false);
  }
  $$("ol.chain .link").forEach(b => b.onclick = () => { opener = b; chooseStep(byID.get(b.dataset.id).i); });

  // Sizes.
  $$("[role=tab]").forEach(tab => tab.onclick = () => {
    $$("[role=tab]").forEach(t => t.setAttribute("aria-selected", t === tab));
    $$(".map").forEach(m => m.hidden = m.dataset.map !== tab.dataset.map);
  });
  $$("svg.treemap").forEach(m => m.addEventListener("click", e => { const c = e.target.closest("[data-file]"); if (c) chooseFile(+c.dataset.file); }));
  $$("tr.file .link").forEach(b => b.onclick = () => { opener = b; chooseFile(+b.closest("tr").dataset.file); });
  $$("table.sortable th button").forEach(b => b.onclick = () => {
    const up = b.getAttribute("aria-sort") === "descending", n = [...b.closest("tr").children].indexOf(b.closest("th")), body = b.closest("table").tBodies[0];
    $$("th button", b.closest("tr")).forEach(o => o.removeAttribute("aria-sort"));
    b.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = r => b.dataset.sort === "number" ? +r.children[n].dataset.n : r.children[n].textContent;
    body.append(...[...body.rows].sort((x, y) => (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : 0) * (up ? 1 : -1)));
  });

  // The tip of what the pointer is on.
  const tip = $("#tip");
  const tipOf = e => {
    const b = e.target.closest(".bar");
    if (b) { const s = steps[+b.dataset.step], one = bars[+b.dataset.bar]; return [s.id, `${one.us ? time(one.us) : s.outcome}${s.critical ? ", on the critical path" : ""}`, one.reason]; }
    const c = e.target.closest(".cell");
    if (c) return [c.dataset.name, `${bytes(+c.dataset.size)}, ${c.dataset.share} %`, c.dataset.note];
    return null;
  };
  addEventListener("pointermove", e => {
    const lines = e.target.closest && tipOf(e);
    tip.hidden = !lines;
    if (!lines) return;
    tip.replaceChildren(el("b", {}, lines[0]), ...lines.slice(1).filter(Boolean).map(l => el("div", {}, l)));
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - w - 6)) + "px";
    tip.style.top = (e.clientY + 18 + h > innerHeight ? e.clientY - h - 10 : e.clientY + 18) + "px";
  });

  // One field filters everything.
  const field = $("#filter"), status = $("#matches");
  let soon = 0;
  const filter = () => {
    wanted = field.value.trim().toLowerCase();
    const good = new Set(steps.filter(matches).map(s => s.i));
    $$(".bar").forEach(b => b.classList.toggle("dimmed", !good.has(+b.dataset.step)));
    const names = new Set([...good].map(i => steps[i].recipe));
    $$(".node").forEach(n => n.classList.toggle("dimmed", !names.has(n.dataset.recipe)));
    $$(".edge").forEach(e => e.classList.toggle("dimmed", wanted !== "" && !(names.has(e.dataset.from) && names.has(e.dataset.to))));
    recipes.forEach(d => {
      d.hidden = wanted !== "" && !names.has(d.dataset.recipe);
      const open = wanted !== "" && !d.hidden && good.size <= 400;
      if (wanted !== "") d.open = open;
      if (d.open) fill(d);
    });
    let rows = 0;
    $$("tr.file").forEach(r => { const f = files[+r.dataset.file]; r.hidden = wanted !== "" && !hit(f.path) && !hit(f.recipe) && !hit(f.backend) && !f.crates.some(c => hit(c[0])); rows += !r.hidden; });
    $$(".cell:not(.group)").forEach(c => c.classList.toggle("dimmed", wanted !== "" && !hit(c.dataset.name) && !hit(c.dataset.note)));
    $$(".suite").forEach(s => {
      let any = hit($("summary", s).textContent);
      $$(".cases li", s).forEach(c => { c.hidden = wanted !== "" && !any && !hit(c.textContent); });
      any = any || $$(".cases li", s).some(c => !c.hidden) || $$(".log pre", s).some(p => hit(p.textContent));
      s.hidden = wanted !== "" && !any;
    });
    $$(".series").forEach(s => s.hidden = wanted !== "" && !hit(s.textContent));
    $$("#changes tbody tr").forEach(r => r.hidden = wanted !== "" && !hit(r.textContent));
    status.hidden = wanted === "";
    status.textContent = `${good.size} of ${steps.length} steps, ${rows} of ${files.length} files`;
  };
  field.oninput = () => { cancelAnimationFrame(soon); soon = requestAnimationFrame(filter); };

  // Dark and light.
  const root = document.documentElement;
  const kept = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } }, set: v => { try { localStorage.setItem("theme", v); } catch { /* a page opened from a file may have no storage */ } } };
  if (kept.get()) root.dataset.theme = kept.get();
  const flip = () => { root.dataset.theme = getComputedStyle(root).colorScheme.includes("dark") ? "light" : "dark"; kept.set(root.dataset.theme); };
  $("#theme").onclick = flip;

  // Keys.
  const keys = $("#keys");
  $("#help").onclick = () => keys.showModal();
  addEventListener("keydown", e => {
    if (e.key === "Escape" && !keys.open) {
      if (!drawer.hidden) shut();
      else if (field.value) { field.value = ""; filter(); field.blur(); }
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea")) return;
    const links = $$(".top nav a");
    const act = { "/": () => field.focus(), "?": () => keys.showModal(), t: flip, c: () => line && $("#only").click(), "+": () => setZoom(zoom * 2), "=": () => setZoom(zoom * 2), "-": () => setZoom(zoom / 2), "0": () => setZoom(1) }[e.key] ||
      (e.key >= "1" && e.key <= "9" && links[e.key - 1] ? () => links[e.key - 1].click() : null);
    if (act) { e.preventDefault(); act(); }
  });

  // Where one is.
  const seen = new IntersectionObserver(list => list.forEach(x => { const a = $(`.top nav a[href="#${x.target.id}"]`); if (a) a.classList.toggle("here", x.isIntersecting); }), { rootMargin: "-30% 0px -60% 0px" });
  $$("section[id]").forEach(s => seen.observe(s));
  root.dataset.ready = "yes";
})();
