// The theme: light, dark, or what the system says. This file is a plain script in the head, so
// that the first paint has the right colours, and so that it sees whether the others arrive.

// Chromium breaks off every request when the network changes (ERR_NETWORK_CHANGED), and a container
// that starts changes it. A page of which a file is missing is loaded again.
(() => {
  const most = 5;
  const count = (n) => {
    try {
      if (n === undefined) return Number(sessionStorage.getItem("beamyard.again"));
      sessionStorage.setItem("beamyard.again", n);
    } catch {
      return most; // storage is forbidden: better a broken page than one that loads for ever
    }
  };
  let waiting = false;
  addEventListener("load", () => waiting || count(0));
  addEventListener(
    "error",
    ({ target }) => {
      const file = target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === "stylesheet");
      if (!file || waiting || count() >= most) return;
      waiting = true;
      count(count() + 1);
      setTimeout(() => location.reload(), 300);
    },
    true,
  );
})();

(() => {
  const root = document.documentElement;
  const order = ["auto", "light", "dark"];
  const read = () => {
    try {
      return localStorage.getItem("beamyard.theme") || "auto";
    } catch {
      return "auto"; // storage is forbidden
    }
  };
  const set = (theme) => {
    root.dataset.theme = order.includes(theme) ? theme : "auto";
  };
  set(read());
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const show = () => {
      const theme = root.dataset.theme;
      const name = { auto: "as the system", light: "light", dark: "dark" }[theme];
      button.setAttribute("aria-label", `Theme: ${name}`);
      button.title = `Theme: ${name}`;
    };
    show();
    button.addEventListener("click", () => {
      const next = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
      set(next);
      try {
        localStorage.setItem("beamyard.theme", next);
      } catch {
        // Then it lasts as long as the page.
      }
      show();
    });
  });
})();
