"""Two loops of one piece, calm and tense, in a game: the space bar fades between them.

pip install pygame halfstep
python examples/pygame_loop.py [--seconds 20] [--frames N]
"""

import argparse
import io

import halfstep

FADE_FRAMES = 60
FRAMES_A_SECOND = 60


def loops(seconds: float, seed: int) -> list[io.BytesIO]:
    """WAV files in memory: a piece that repeats, and the same a little different."""
    model = halfstep.load()
    files: list[io.BytesIO] = []
    for variation in (None, 0.4):
        file = io.BytesIO()
        model.generate(seconds, seed=seed, loop=True, variation=variation, loudness=-18).save(file)
        file.seek(0)
        files.append(file)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description="Fade between two loops with the space bar.")
    parser.add_argument("--seconds", type=float, default=20.0, help="of one loop")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--frames", type=int, default=0, help="end after so many; 0 plays until the window is closed")
    wanted = parser.parse_args()
    import pygame

    pygame.init()
    pygame.display.set_mode((320, 120))
    calm, tense = (pygame.mixer.Sound(file) for file in loops(wanted.seconds, wanted.seed))
    for sound in (calm, tense):
        sound.play(loops=-1)  # both from the same moment, so that they stay in step
    share, goal, frame, clock = 0.0, 0.0, 0, pygame.time.Clock()
    while not wanted.frames or frame < wanted.frames:
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                return
            if event.type == pygame.KEYDOWN and event.key == pygame.K_SPACE:
                goal = 1 - goal
        share += max(-1 / FADE_FRAMES, min(1 / FADE_FRAMES, goal - share))
        calm.set_volume(1 - share)
        tense.set_volume(share)
        frame += 1
        clock.tick(FRAMES_A_SECOND)


if __name__ == "__main__":
    main()
