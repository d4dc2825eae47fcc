"""The GIF that shows the pictures of a training one after the other."""

import PIL.Image

from ganexp.plots.animation import MAX_FRAMES, save_animation


def save(path, level, size=(8, 8)):
    PIL.Image.new("RGB", size, (level, level, level)).save(path)
    return path


def test_animation_has_first_and_last_of_many_pictures(tmp_path):
    files = [save(tmp_path / f"{number}.png", 2 * number) for number in range(100)]
    save_animation(files, tmp_path / "a.gif")
    with PIL.Image.open(tmp_path / "a.gif") as gif:
        levels = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            levels.append(gif.convert("RGB").getpixel((0, 0))[0])
    assert len(levels) == MAX_FRAMES
    assert (levels[0], levels[-1]) == (0, 198)


def test_animation_is_at_most_640_pixels_wide(tmp_path):
    save_animation([save(tmp_path / f"{level}.png", level, (1280, 320)) for level in (0, 9)], tmp_path / "a.gif")
    with PIL.Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (640, 160)


def test_unreadable_and_differently_sized_files_are_left_out(tmp_path):
    (tmp_path / "0.png").write_text("no picture")
    files = [tmp_path / "0.png", save(tmp_path / "1.png", 1, (9, 9)), save(tmp_path / "2.png", 2)]
    save_animation(files, tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()
    save_animation([*files, save(tmp_path / "3.png", 3)], tmp_path / "a.gif")
    with PIL.Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2
