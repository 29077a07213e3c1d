# SPDX-License-Identifier: MIT
"""Looks at the status page in headless Chromium: page.py URL PID_OF_DAEMON FOLDER_FOR_PICTURES"""
import os
import signal
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.by import By

URL, PID, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def browser(width, height):
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--disable-background-networking", "--window-size=%d,%d" % (width, height)):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options)
    found.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    return found


def until(what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if what():
                return
        except Exception as error:  # an element that was just replaced
            if time.monotonic() > end - 1:
                raise error
        time.sleep(0.1)
    sys.exit("FAILED: not within %d s: %s" % (seconds, what.__doc__))


def text(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector).text


def look(driver, name):
    """The page as a picture, as far down as one would look."""
    size = driver.execute_script("return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {
        "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": size[0], "height": min(size[1], 2000), "scale": 1}})
    import base64
    with open(os.path.join(FOLDER, name), "wb") as picture:
        picture.write(base64.b64decode(shot["data"]))


def no_errors(driver):
    bad = [line for line in driver.get_log("browser") if line["level"] == "SEVERE"
           and "ERR_CONNECTION_REFUSED" not in line["message"]]
    assert not bad, bad


driver = browser(1200, 900)
driver.get(URL)


def filled():
    """packs are shown, and the quiet one is old"""
    return "V" in text(driver, "#pack-house .big") and "stale" in text(driver, "#pack-quiet .tag")


until(filled)
assert "2 of 4 packs with a good reading" in text(driver, "#summary"), text(driver, "#summary")
assert len(driver.find_elements(By.CSS_SELECTOR, "#pack-store .cells > div")) == 16
assert "soc_low" in text(driver, "#pack-store ul")
# alarms stand at the top, too, with whose they are and since when
for line in ("alarm pack store: soc_low: ", "alarm bank all: soc_low: store: "):
    found = [item.text for item in driver.find_elements(By.CSS_SELECTOR, "#alarms li") if item.text.startswith(line)]
    assert len(found) == 1 and ", since " in found[0], (line, found)
assert ", 1 with an alarm, " in text(driver, "#summary"), text(driver, "#summary")
assert text(driver, "#bank-lacks .tag").startswith(("1 of 2 packs, ", "warning, 1 of 2 packs, ")), text(driver, "#bank-lacks .tag")
assert "connections failed" in text(driver, "#pack-gone")
# nothing of an old reading is on the page
for old in ("quiet", "gone"):
    assert not driver.find_elements(By.CSS_SELECTOR, "#pack-%s .big, #pack-%s .cells" % (old, old))
assert "Never read" in text(driver, "#pack-gone")
assert "house, store, series" in text(driver, "#bank-all")
assert "unit 9: all, map pace" in text(driver, "#listeners")
assert "NaN" not in driver.page_source.split("<script>")[0] and "undefined" not in text(driver, "main")
look(driver, "wide.png")

driver.find_element(By.CSS_SELECTOR, "#pack-house button").click()


def registers():
    """the registers of unit 1"""
    return "unit 1" in text(driver, "#registertitle") and len(driver.find_elements(By.CSS_SELECTOR, "#registers tr")) > 50


until(registers)
driver.find_element(By.ID, "filter").send_keys("voltage terminals")


def filtered():
    """the filter"""
    lines = [line.text for line in driver.find_elements(By.CSS_SELECTOR, "#registers tr")]
    return 1 <= len(lines) <= 3 and all("voltage_mv" in line for line in lines)


until(filtered)
look(driver, "registers.png")
no_errors(driver)
driver.quit()

# a phone; the registers by their address
driver = browser(390, 800)
driver.get(URL + "/#unit-100")


def phone():
    """the registers of the bank on a phone"""
    return "unit 100" in text(driver, "#registertitle")


until(phone)
width = driver.execute_script("return document.documentElement.scrollWidth")
assert width <= 390, "the page is %d pixels wide on a phone of 390" % width
look(driver, "phone.png")

# the daemon goes away: what is there can't be taken for live any more
os.kill(PID, signal.SIGTERM)


def lost():
    """that there is no answer"""
    return "No answer from packbridge" in text(driver, "#trouble") and float(
        driver.execute_script("return getComputedStyle(document.querySelector('.live')).opacity")) < 0.5


until(lost)
look(driver, "lost.png")
no_errors(driver)
driver.quit()
print("in Chromium: all good, pictures in " + FOLDER)
