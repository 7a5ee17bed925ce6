// SPDX-License-Identifier: Apache-2.0
// The page of a report in a real browser: what it draws is measured by a script that the test adds
// to a copy of the page, narrow and light, wide and dark.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <jansson.h>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include "process.h"
#include "temp.h"
}

namespace
{

// Of each chart how much of it has no extent, and what lies outside; of the page what is too wide.
const char probe[] = R"(<pre id="probe"></pre><script>
const errors = [];
window.addEventListener('error', e => errors.push(String(e.message)));
window.addEventListener('load', () => {
  const charts = [...document.querySelectorAll('svg[role=img]')].map(svg => {
    const whole = svg.viewBox.baseVal, boxes = s => [...svg.querySelectorAll(s)].map(e => e.getBBox());
    return {
      title: svg.getAttribute('aria-label'),
      width: svg.getBoundingClientRect().width,
      marks: boxes('.mark').length,
      flat: boxes('.mark').filter(b => !(b.width > 0 || b.height > 0)).length,
      outside: boxes('text,.mark').filter(b => b.x < -1 || b.y < -1 || b.x + b.width > whole.width + 1 ||
        b.y + b.height > whole.height + 1).length,
      texts: [...svg.querySelectorAll('text')].filter(t => t.getComputedTextLength() > 0).length,
    };
  });
  document.getElementById('probe').textContent = 'PROBE' + JSON.stringify({
    charts, errors, scripts: document.scripts.length,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    inner: innerWidth, scroll: document.documentElement.scrollWidth,
  }) + 'EBORP';
});
</script>)";

struct Report : testing::Test {
    char directory[HR_TEMP_PATH_MAX] = "";
    hr_process process = {};
    json_t *seen = nullptr;

    void SetUp() override
    {
        ASSERT_EQ(hr_temp_make(directory), HR_OK);
    }
    void TearDown() override
    {
        hr_process_stop(&process);
        json_decref(seen);
        EXPECT_EQ(hr_temp_remove(directory), HR_OK);
    }
    std::string in(const char *name) const
    {
        return std::string(directory) + "/" + name;
    }
    void run(const std::vector<std::string> &words)
    {
        std::vector<const char *> arguments;
        for (const std::string &word : words)
            arguments.push_back(word.c_str());
        arguments.push_back(nullptr);
        const std::string home = "HOME=" + std::string(directory);
        const char *const environment[] = {home.c_str(), nullptr};
        hr_process_options options = {};
        options.arguments = arguments.data();
        options.environment = environment;
        hr_process_stop(&process);
        process = {};
        ASSERT_EQ(hr_process_start(&process, &options), HR_OK) << words[0];
        ASSERT_EQ(hr_process_wait(&process, 3 * HR_PROCESS_WATCHDOG_MS), HR_OK) << words[0];
        ASSERT_EQ(process.exit_code, 0) << words[0] << ": " << hr_process_stderr(&process);
    }
    static std::string find_browser()
    {
        std::stringstream path(getenv("PATH"));
        for (std::string folder; std::getline(path, folder, ':');)
            for (const char *name : {"chromium", "chromium-headless-shell", "google-chrome"})
                if (access((folder + "/" + name).c_str(), X_OK) == 0)
                    return folder + "/" + name;
        return "";
    }
    // A real sweep, and beside it what else a result can hold: stages, a loader, another round.
    void make_results()
    {
        run({HEADRACE_BENCH, "storage", "--rounds", "1", "--size", "4MiB", "--directory", directory,
             "--sweep", "block=1MiB,4MiB", "-o", in("sweep.json")});
        run({HEADRACE_BENCH, "storage", "--rounds", "1", "--size", "4MiB", "--directory", directory,
             "-o", in("before.json")});
        json_t *result = json_load_file(in("before.json").c_str(), 0, nullptr);
        json_t *where =
            json_pack("{s:s, s:s, s:[{s:s, s:f, s:f, s:f, s:f}, {s:s, s:f, s:f, s:f, s:f}]}",
                      "bound", "wire", "text", "bound by wire", "stages", "stage", "read",
                      "busy_percent", 20.0, "starved_percent", 30.0, "blocked_percent", 50.0,
                      "full_percent", 10.0, "stage", "wire", "busy_percent", 90.0,
                      "starved_percent", 10.0, "blocked_percent", 0.0, "full_percent", 80.0);
        json_object_set_new(result, "where", where);
        for (const char *count : {"1", "2"}) {
            json_t *row = json_pack("{s:s+, s:s, s:[f], s:{s:f}, s:{s:s, s:s, s:s, s:s}}", "name",
                                    "loader@accelerators=", count, "title", "accelerators",
                                    "rounds", 0.5, "utilisation", "median", 0.9, "sweep",
                                    "parameter", "accelerators", "value", count, "contender",
                                    "loader", "title", "accelerators in training");
            json_array_append_new(json_object_get(result, "contenders"), row);
        }
        ASSERT_EQ(json_dump_file(result, in("after.json").c_str(), 0), 0);
        json_decref(result);
        run({HEADRACE_BENCH, "report", in("before.json"), in("after.json"), in("sweep.json"), "-o",
             in("page.html")});
    }
    void look(const std::string &browser, const char *window, bool dark)
    {
        std::stringstream text;
        text << std::ifstream(in("page.html")).rdbuf() << probe;
        std::ofstream(in("probed.html")) << text.str();
        run({browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--hide-scrollbars", "--user-data-dir=" + in("profile"),
             std::string("--blink-settings=preferredColorScheme=") + (dark ? "0" : "1"),
             std::string("--window-size=") + window, "--dump-dom", "file://" + in("probed.html")});
        std::string dom = hr_process_stdout(&process);
        size_t from = dom.find("PROBE{"), to = dom.find("}EBORP");
        ASSERT_NE(to, std::string::npos) << dom << hr_process_stderr(&process);
        json_decref(seen);
        seen = json_loads(dom.substr(from + 5, to + 1 - from - 5).c_str(), 0, nullptr);
        ASSERT_NE(seen, nullptr) << dom.substr(from, to - from);
    }
    double number(const char *name) const
    {
        return json_number_value(json_object_get(seen, name));
    }
    void expect_drawn()
    {
        size_t i;
        json_t *chart;
        EXPECT_EQ(json_array_size(json_object_get(seen, "errors")), 0u);
        EXPECT_EQ(number("scripts"), 1) << "the page has none but ours";
        EXPECT_LE(number("scroll"), number("inner")) << "the page itself is not wider than it may";
        json_array_foreach(json_object_get(seen, "charts"), i, chart)
        {
            const char *title = json_string_value(json_object_get(chart, "title"));
            const auto value = [chart](const char *name) {
                return json_number_value(json_object_get(chart, name));
            };
            EXPECT_GT(value("width"), 200) << title;
            EXPECT_GT(value("marks"), 0) << title;
            EXPECT_EQ(value("flat"), 0) << title;
            EXPECT_EQ(value("outside"), 0) << title;
            EXPECT_GT(value("texts"), 1) << title;
        }
        EXPECT_EQ(i, 8u) << "rates, a sweep, accelerators twice, stages, latencies of three";
    }
};

TEST_F(Report, IsDrawnByABrowserNarrowAndWideLightAndDark)
{
    std::string browser = find_browser();
    if (browser.empty())
        GTEST_SKIP() << "no browser: chromium is not installed";
    ASSERT_NO_FATAL_FAILURE(make_results());
    ASSERT_NO_FATAL_FAILURE(look(browser, "400,800", false));
    expect_drawn();
    EXPECT_FALSE(json_is_true(json_object_get(seen, "dark")));
    std::string paper = json_string_value(json_object_get(seen, "paper"));
    std::string ink = json_string_value(json_object_get(seen, "ink"));
    ASSERT_NO_FATAL_FAILURE(look(browser, "1300,800", true));
    expect_drawn();
    EXPECT_TRUE(json_is_true(json_object_get(seen, "dark")));
    EXPECT_NE(paper, json_string_value(json_object_get(seen, "paper")));
    EXPECT_NE(ink, json_string_value(json_object_get(seen, "ink")));
}

} // namespace
