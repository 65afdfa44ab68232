"use strict";
(() => {
  const tools = document.getElementById("tools");
  const text = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const boxes = [...tools.querySelectorAll("input[type=checkbox]")];
  const articles = [...document.querySelectorAll("article")];
  const words = articles.map((article) => article.textContent.toLowerCase());
  const sections = [...document.querySelectorAll("section.rule")];

  const apply = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    articles.forEach((article, number) => {
      const fits = severities.has(article.dataset.severity) && wanted.every((word) => words[number].includes(word));
      article.hidden = !fits;
      count += fits ? 1 : 0;
    });
    for (const section of sections) section.hidden = !section.querySelector("article:not([hidden])");
    shown.textContent = count === articles.length ? "" : `${count} of ${articles.length} shown`;
  };

  const open = (value) => () => document.querySelectorAll("article details").forEach((one) => { one.open = value; });
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (details && !details.open) { details.open = true; target.scrollIntoView(); }
  };
  text.addEventListener("input", apply);
  for (const box of boxes) box.addEventListener("change", apply);
  document.getElementById("open").addEventListener("click", open(true));
  document.getElementById("close").addEventListener("click", open(false));
  window.addEventListener("hashchange", reveal);
  tools.hidden = false;
  reveal();
})();
