"""Visits the admin panel with a browser: visit.py WHAT, where WHAT is one of the functions below.

Every page that is seen must be free of errors in the console, of requests to anybody else and of
violations of its own policy; `look_at_every_page` asks axe-core as well.
"""

import contextlib
import os
import re
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser import launch

PANEL, TOKEN = os.environ["PANEL"], os.environ["TOKEN"]
UPLOADS, PICTURES = Path(os.environ["UPLOADS"]), Path(os.environ["PICTURES"])
LOST, OLD, DAMAGED = os.environ["LOST"], os.environ["OLD"], os.environ["DAMAGED"]
# A machine that runs tests may be busy.
expect.set_options(timeout=60_000)

ORIGIN = "/".join(PANEL.split("/")[:3]) + "/"

LANGUAGES = {"en": "en-GB", "fa": "fa-IR"}
NARROW, WIDE = {"width": 360, "height": 780}, {"width": 1280, "height": 860}

PAGES = {
    "overview": "",
    "entries": "entries/",
    "nothing-found": "entries/?search=no+such+file&on_disk=no",
    "entry": "entries/1/",
    "confirm": "entries/selected/?do=delete&id=1&id=2&id=3",
    "trash": "trash/",
    "cleanup": "cleanup/?days=90",
    "doctor": "doctor/",
    "not-found": "entries/999999999/",
    "login": "login",
}


@contextlib.contextmanager
def visitor(browser, expected=(), **wishes):
    """A visitor with cookies of their own, whose every page is looked over. `expected` are parts of
    errors that are meant to be there."""
    wishes.setdefault("viewport", WIDE)
    wishes.setdefault("locale", LANGUAGES["en"])
    context = browser.new_context(**wishes)
    context.set_default_timeout(60_000)
    faults = []

    def console(message):
        text = f"{message.text} ({message.location.get('url')})"
        if message.type in ("error", "warning") and not any(part in text for part in expected):
            faults.append(f"the console: {text}")

    def request(request):
        if not request.url.startswith((ORIGIN, "data:", "about:")):
            faults.append(f"a request to {request.url}")

    context.on("console", console)
    context.on("weberror", lambda error: faults.append(f"the script: {error.error}"))
    context.on("request", request)
    yield context.new_page()
    context.close()
    assert not faults, "\n".join(faults[:10])


def log_in(page, then=""):
    """Follows the link that the program prints at start."""
    page.goto(f"{PANEL}login?token={TOKEN}")
    assert TOKEN not in page.url, "the token stays in the address bar"
    if then:
        page.goto(PANEL + then)


def go(page, name):
    page.get_by_role("navigation").first.get_by_role("link", name=name).click()


def note(page):
    """What the page says that was done."""
    return page.locator(".note").first


def look_at_every_page(browser):
    axe = Axe()
    expected = ["404 (Not Found)"]  # the page that is not there
    for language, locale in LANGUAGES.items():
        for scheme in ("light", "dark"):
            with visitor(browser, expected, locale=locale, color_scheme=scheme) as page:
                log_in(page)
                for name, address in PAGES.items():
                    for width in (WIDE, NARROW):
                        page.set_viewport_size(width)
                        answer = page.goto(PANEL + address)
                        assert answer.status == (404 if name == "not-found" else 200), name
                        look(page, axe, f"{name}-{language}-{scheme}-{width['width']}", language)


def look(page, axe, name, language):
    html = page.locator("html")
    expect(html).to_have_attribute("lang", language)
    expect(html).to_have_attribute("dir", "rtl" if language == "fa" else "ltr")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    # A column that sticks out makes the whole page slide.
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{name} is {wider} pixels wider than the window"
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    assert not broken, f"{name} has pictures that cannot be seen: {broken}"
    if language == "fa" and name.startswith("overview"):
        assert re.search("[۰-۹]", page.locator(".figures").inner_text()), "no Persian digits"
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    told = [f"{v['id']}: {v['help']}: {[n['html'] for n in v['nodes'][:3]]}" for v in grave]
    assert not grave, f"axe-core about {name}:\n" + "\n".join(told)


def work_with_entries(browser):
    with visitor(browser) as page:
        log_in(page)
        go(page, "Entries")
        rows = page.locator("table.entries tbody tr")
        # Search.
        page.get_by_label("Search").fill("rose-water")
        page.get_by_role("button", name="Show", exact=True).click()
        assert all("rose-water" in text for text in rows.all_inner_texts()) and rows.count() >= 1
        # Filter.
        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Type").select_option("Videos")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(rows).to_have_count(1)
        page.goto(f"{PANEL}entries/?on_disk=no")
        expect(rows).to_have_count(2)
        page.goto(f"{PANEL}entries/?days=90")
        expect(rows).to_have_count(1)
        # Sort.
        page.goto(f"{PANEL}entries/")
        page.get_by_role("columnheader", name="Size").get_by_role("link").click()
        expect(rows.first).to_contain_text("how-a-kilim-is-made.mp4")
        expect(page.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "descending")
        # Pages: every entry once.
        page.goto(f"{PANEL}entries/?limit=7&sort=size&order=ascending")
        seen = []
        while True:
            seen += [box.get_attribute("value") for box in page.locator("input[name=id]").all()]
            following = page.get_by_role("link", name="Next page")
            if following.count() == 0:
                break
            following.click()
        assert len(seen) == len(set(seen)) and len(seen) > 40, f"{len(seen)} entries on all pages"
        # And back again, the same pages.
        back = []
        while True:
            back = [box.get_attribute("value") for box in page.locator("input[name=id]").all()] + back
            before = page.get_by_role("link", name="Previous page")
            if before.count() == 0:
                break
            before.click()
        assert back == seen, "the way back shows other entries"
        # Select and restore.
        page.goto(f"{PANEL}entries/?on_disk=no&search=vase")
        page.get_by_role("checkbox", name="Select isfahan-vase-1.jpg").check()
        expect(page.locator("[data-count]")).to_have_text("1")
        page.get_by_role("button", name="Restore", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Restore 1 entry?")
        page.get_by_role("button", name="Restore 1 entry").click()
        expect(note(page)).to_contain_text("1 restored")
        # Store again.
        page.goto(f"{PANEL}entries/?search=tabriz")
        page.get_by_label("Select all on this page").check()
        page.get_by_role("button", name="Store again").click()
        page.get_by_role("button", name=re.compile("^Store .* again$")).click()
        expect(note(page)).to_contain_text("0 failed")
        # Delete; the page that asks counts, and there is a way back.
        page.goto(f"{PANEL}entries/?search=rose-water")
        count = rows.count()
        page.get_by_label("Select all on this page").check()
        page.get_by_role("button", name="Delete", exact=True).click()
        entries = "1 entry" if count == 1 else f"{count} entries"
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Delete {entries}?")
        page.get_by_role("link", name="Cancel").click()
        expect(rows).to_have_count(count)
        page.get_by_label("Select all on this page").check()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name=f"Delete {entries}").click()
        expect(note(page)).to_have_text(f"{entries} deleted.")
        expect(page.locator(".empty")).to_be_visible()
        # Nothing selected: it says so, and asks nothing.
        page.goto(f"{PANEL}entries/")
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(note(page)).to_have_text("No entry was selected.")


def open_entry(page, path):
    page.goto(f"{PANEL}entries/?search={path}")
    page.locator("table.entries tbody th a").first.click()
    expect(page.locator("dl.details")).to_contain_text(path)


def work_with_one_entry(browser):
    with visitor(browser, expected=["409 (Conflict)"]) as page:
        log_in(page)
        open_entry(page, "oak-chair-1")
        expect(page.get_by_role("img", name="Preview of oak-chair-1.jpg")).to_be_visible()
        page.get_by_role("button", name="Verify").click()
        expect(note(page)).to_contain_text("sound")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        path = page.locator("dl.details bdi").first.inner_text()
        assert Path(download.value.path()).read_bytes() == (UPLOADS / path).read_bytes()
        open_entry(page, DAMAGED)
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_role("alert")).to_contain_text("damaged")
        page.get_by_role("button", name="Store again").click()
        page.get_by_role("button", name="Store 1 entry again").click()
        expect(note(page)).to_contain_text("1 stored")
        open_entry(page, DAMAGED)
        page.get_by_role("button", name="Verify").click()
        expect(note(page)).to_contain_text("sound")


def make_a_former_content_present(browser):
    with visitor(browser, java_script_enabled=False) as page:
        log_in(page)
        open_entry(page, "oak-chair-1")
        entry = page.url
        file = UPLOADS / page.locator("dl.details bdi").first.inner_text()
        picture = file.read_bytes()
        file.write_bytes(next(other for other in UPLOADS.rglob("*.jpg") if other != file).read_bytes())
        while page.locator("#versions").count() == 0:
            page.wait_for_timeout(100)
            page.goto(entry)
        # Asking first, and a way back.
        to_the_picture = page.get_by_role("link", name=re.compile("^Make the content that ended"))
        to_the_picture.click()
        asking = page.url
        expect(page.get_by_role("heading", level=1)).to_have_text("Make this earlier content the present one?")
        page.get_by_role("link", name="Cancel").click()
        expect(page).to_have_url(entry)
        to_the_picture.click()
        page.get_by_role("button", name="Make it the present content").click()
        expect(note(page)).to_contain_text("is the present one")
        expect(page).to_have_url(entry)
        assert file.read_bytes() == picture
        expect(to_the_picture).to_have_count(2)
    axe = Axe()
    for language, locale in LANGUAGES.items():
        with visitor(browser, locale=locale) as page:
            log_in(page)
            for name, address in {"versions": entry, "revert": asking}.items():
                assert page.goto(address).status == 200
                look(page, axe, f"{name}-{language}", language)
    with visitor(browser, expected=["401 (Unauthorized)"]) as page:
        assert page.goto(asking).status == 200
        expect(page.get_by_role("link", name="Log in to change anything")).to_be_visible()
        assert page.request.post(asking, form={}, max_redirects=0).status in (401, 403)


def work_with_the_trash(browser):
    with visitor(browser) as page:
        log_in(page)
        go(page, "Trash")
        rows = page.locator("table.entries tbody tr")
        expect(rows).to_have_count(3)
        page.get_by_label("Search").fill("no such file")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".empty")).to_be_visible()
        page.get_by_role("link", name="Clear").click()
        # Asking first, and a way back.
        page.get_by_role("checkbox", name=f"Select {LOST.rpartition('/')[2]}").check()
        page.get_by_role("button", name="Give back").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Give 1 entry back?")
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("checkbox", name=f"Select {LOST.rpartition('/')[2]}").check()
        page.get_by_role("button", name="Give back").click()
        page.get_by_role("button", name="Give 1 entry back").click()
        expect(note(page)).to_have_text("1 entry given back.")
        expect(rows).to_have_count(2)
        open_entry(page, LOST)
        # For good.
        go(page, "Trash")
        page.get_by_role("checkbox", name=f"Select {OLD.rpartition('/')[2]}").check()
        page.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Delete 1 entry for good?")
        page.get_by_role("button", name="Delete 1 entry for good").click()
        expect(note(page)).to_have_text("1 entry deleted for good.")
        expect(rows).to_have_count(1)
    axe = Axe()
    for language, locale in LANGUAGES.items():
        with visitor(browser, locale=locale) as page:
            log_in(page)
            for name, address in {"trash": "trash/", "trash-search": "trash/?search=none"}.items():
                assert page.goto(PANEL + address).status == 200
                look(page, axe, f"{name}-{language}", language)
            page.goto(f"{PANEL}trash/")
            page.get_by_role("checkbox").last.check()
            page.locator("button[value=forget]").click()
            look(page, axe, f"trash-confirm-{language}", language)
    with visitor(browser, java_script_enabled=False) as page:
        log_in(page)
        page.goto(f"{PANEL}trash/")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Give back").click()
        page.get_by_role("button", name="Give 1 entry back").click()
        expect(note(page)).to_have_text("1 entry given back.")


def clean_up(browser):
    with visitor(browser) as page:
        log_in(page)
        go(page, "Cleanup")
        page.get_by_label("Not accessed for at least").fill("90")
        page.get_by_role("button", name="Show what would go").click()
        expect(page.get_by_role("heading", level=2)).to_contain_text("1 entry")
        expect(page.locator("table.entries")).to_contain_text(OLD.rpartition("/")[2])
        page.get_by_role("button", name="Remove 1 entry").click()
        expect(note(page)).to_have_text("1 entry removed.")


def watch_an_upload(browser):
    with visitor(browser) as page:
        log_in(page)
        captured = page.locator("[data-live=captured]")
        expect(page.locator("[data-live-on]")).to_be_visible()
        before = int(captured.inner_text())
        (UPLOADS / "just-now.txt").write_text("somebody has uploaded this while we looked\n")
        expect(captured).to_have_text(str(before + 1))
        expect(page.locator(".sentence")).to_have_text("Everything is safe")


def do_without_script(browser):
    with visitor(browser, java_script_enabled=False) as page:
        page.goto(f"{PANEL}login")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(note(page)).to_have_text("You are logged in.")
        go(page, "Entries")
        page.get_by_label("Search").fill("copper")
        page.get_by_role("button", name="Show", exact=True).click()
        page.get_by_role("checkbox", name="Select copper-bowl-1").first.check()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete 1 entry").click()
        expect(note(page)).to_have_text("1 entry deleted.")
        page.get_by_role("button", name="فارسی").click()
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        page.get_by_role("button", name="تیره").click()
        expect(page.locator("html")).to_have_attribute("data-scheme", "dark")
        # Both are remembered.
        page.goto(f"{PANEL}cleanup/?days=%DB%B9%DB%B0")
        expect(page.locator("html")).to_have_attribute("lang", "fa")
        page.get_by_role("button", name="حذف ۱ فایل").click()
        expect(note(page)).to_have_text("۱ فایل حذف شد.")
        page.goto(PANEL)
        page.get_by_role("button", name="ذخیرهٔ فایل‌های ذخیره‌نشده").click()
        expect(note(page)).to_contain_text("ذخیره شد")
        go(page, "عیب‌یابی")
        page.get_by_role("button", name="وارسی دوباره").click()
        expect(note(page)).to_have_text("وارسی دوباره انجام شد.")


def press_until(page, key, selector, most=80):
    """Presses a key until something has the focus, which must be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            style = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(style) != "none", f"{selector}: nobody sees the focus"
            return
    raise AssertionError(f"{key} never comes to {selector}")


def do_with_the_keyboard(browser):
    with visitor(browser) as page:
        page.goto(f"{PANEL}login")
        # The form waits for the token.
        expect(page.get_by_label("Token")).to_be_focused()
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        expect(note(page)).to_have_text("You are logged in.")
        # The first thing is the way past the bar.
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.reload()
        press_until(page, "Tab", "nav a[href$='/entries/']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/entries/")
        press_until(page, "Tab", "#search")
        page.keyboard.type("glass-vase")
        page.keyboard.press("Enter")
        page.wait_for_url("**search=glass-vase**")
        expect(page.locator("tbody tr").first).to_contain_text("glass-vase")
        press_until(page, "Tab", "input[name=id]")
        page.keyboard.press("Space")
        press_until(page, "Tab", "button[value=delete]")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Delete 1 entry?")
        press_until(page, "Tab", "button.danger")
        page.keyboard.press("Enter")
        expect(note(page)).to_have_text("1 entry deleted.")
        press_until(page, "Tab", "button[value=fa]")
        page.keyboard.press("Enter")
        expect(page.locator("html")).to_have_attribute("lang", "fa")


def look_as_a_stranger(browser):
    with visitor(browser, expected=["401 (Unauthorized)"]) as page:
        for address in ["", "entries/", "entries/1/", "trash/", "cleanup/?days=0", "doctor/"]:
            assert page.goto(PANEL + address).status == 200, address
            changes = page.locator("form[method=post]:not([action$='/preferences'])")
            assert changes.locator("button").count() == 0, f"{address} offers a change"
        page.goto(f"{PANEL}entries/")
        expect(page.get_by_role("checkbox")).to_have_count(0)
        page.get_by_role("link", name="Log in to change anything").click()
        expect(page).to_have_url(re.compile("login"))
        # Whatever the pages offer: without the login nothing is changed.
        for address in ["entries/selected/", "trash/selected/", "cleanup/", "cache-all", "restore", "doctor/", "entries/1/verify"]:
            answer = page.request.post(
                PANEL + address, form={"do": "delete", "id": "1", "days": "0"}, max_redirects=0
            )
            assert answer.status in (401, 403), f"{address}: {answer.status}"
        # A page of this very origin that is not the panel's own cannot do it either.
        page.goto(PANEL)
        page.evaluate("""() => {
            const form = document.createElement("form");
            form.method = "post";
            form.action = "cache-all";
            document.body.append(form);
            form.submit();
        }""")
        expect(page.get_by_role("heading", level=1)).to_have_text("Please log in")


def log_in_and_out(browser):
    refused = ["401 (Unauthorized)", "403 (Forbidden)"]
    with visitor(browser, expected=refused) as page:
        page.goto(f"{PANEL}login?next={PANEL.split('/', 3)[-1]}")
        page.goto(f"{PANEL}login?next=//elsewhere.example/")
        page.get_by_label("Token").fill("not the token, but long")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(PANEL)
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
        session = cookies["imagecached_session"]
        assert session["httpOnly"] and session["sameSite"] == "Strict", session
        # The message is shown once.
        expect(note(page)).to_have_text("You are logged in.")
        page.reload()
        expect(page.locator(".note")).to_have_count(0)
        # A form that another session has made is refused.
        page.evaluate("document.querySelector('[name=form_token]').value = '0'.repeat(64)")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("This form is not valid any more")
        page.goto(PANEL)
        page.get_by_role("button", name="Log out").click()
        expect(note(page)).to_have_text("You are logged out.")
        page.goto(PANEL)
        expect(page.get_by_role("link", name="Log in", exact=True)).to_be_visible()


def look_from_afar(browser):
    axe = Axe()
    for language, locale in LANGUAGES.items():
        with visitor(browser, locale=locale) as page:
            log_in(page)
            for name in ["overview", "entries", "entry", "confirm", "cleanup", "doctor"]:
                assert page.goto(PANEL + PAGES[name]).status == 200
                look(page, axe, f"{name}-afar-{language}", language)
    with visitor(browser, expected=["409 (Conflict)"]) as page:
        log_in(page)
        expect(page.locator(".sentence")).to_have_text("This is a look into the database")
        assert page.goto(f"{PANEL}entries/?on_disk=no").status == 409
        page.goto(f"{PANEL}cleanup/")
        expect(note(page)).to_contain_text("nothing can be removed here")
        page.goto(f"{PANEL}doctor/")
        expect(note(page)).to_contain_text("This process has no upload directory")


with launch() as chromium:
    globals()[sys.argv[1]](chromium)
