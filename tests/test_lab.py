"The first guide in JupyterLab, in a browser, from a clean kernel."

import re
import subprocess
import sys

KERNEL = "from jupyter_client import KernelManager as K; print(K(kernel_name='python3').format_kernel_cmd()[0])"
DONE = """() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'
  && ![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('[*]'))"""


def test_kernel_is_this_python(lab_env):
    assert (
        subprocess.run(
            [sys.executable, '-c', KERNEL], env=lab_env, check=True, capture_output=True, text=True
        ).stdout.strip()
        == sys.executable
    )


CHANGED = (
    "([what, before]) => { const i = document.querySelector(what); return i?.src && i.getAttribute('src') !== before }"
)


def after(page, what, act):
    "Do something, and wait until the picture `what` is another one."
    before = page.locator(what).first.get_attribute('src')
    act()
    page.wait_for_function(CHANGED, arg=[what, before], timeout=60_000)


def test_guide_runs_and_its_explorers_move(lab, page):
    page.goto(lab('nbs/guides/precursors.ipynb'))
    page.wait_for_selector('.jp-Notebook .jp-Cell', timeout=60_000)
    # the notebook's indicator says idle before there is a kernel; the status bar does not
    page.locator('#jp-main-statusbar').get_by_text(re.compile(r'\| Idle$')).wait_for(timeout=90_000)
    page.get_by_role('menuitem', name='Run', exact=True).click()
    page.get_by_role('menuitem', name='Run All Cells', exact=True).click()
    explorer = page.locator('.mirnbdev-explorer')
    explorer.wait_for(state='attached', timeout=240_000)
    page.wait_for_function(DONE, timeout=240_000)
    errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert errors.count() == 0, errors.all_inner_texts()
    explorer.locator('img').first.scroll_into_view_if_needed()
    choose = explorer.locator('select').first.select_option
    after(page, '.mirnbdev-explorer img', lambda: choose(index=1))
    latents = page.locator('.mirnbdev-latents')
    latents.scroll_into_view_if_needed()
    latents.locator('.noUi-handle').nth(3).focus()
    after(page, '.mirnbdev-latents img', lambda: page.keyboard.press('PageUp'))
    sequence = latents.locator('input[type=text]').first
    sequence.fill('ACGXT')
    sequence.press('Enter')
    latents.get_by_text('at position 4').wait_for(timeout=60_000)
