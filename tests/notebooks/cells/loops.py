# Loops of every form; each part adds to the list `done`. Parts begin with "# %% title".
# %% for
for i in range(4):
    done.append(i)
# %% while
i = 0
while i < 4:
    done.append(i)
    i += 1
else:
    done.append("else")
# %% continue
for i in range(6):
    if i % 2:
        continue
    done.append(i)
# %% continue in a try
for i in range(4):
    try:
        done.append(i)
        continue
    finally:
        done.append(-i)
# %% break
for i in range(9):
    done.append(i)
    if i == 2:
        break
else:
    done.append("else")
# %% nested
for i in range(3):
    for j in range(2):
        if j:
            continue
        done.append((i, j))
    done.append(i)
# %% continue after an inner loop's else
for i in range(3):
    for j in range(i):
        done.append(j)
    else:
        if i == 1:
            continue
    done.append(i)
# %% match
for i in range(3):
    match i:
        case 1:
            continue
        case _:
            done.append(i)
# %% with
import contextlib

for i in range(3):
    with contextlib.nullcontext():
        done.append(i)
        continue
# %% handler
for i in range(3):
    try:
        done.append(1 / i)
    except ZeroDivisionError:
        continue


# %% function
def f():
    "text"
    for i in range(3):
        done.append(i)
        if i == 1:
            return i


done.append((f(), f.__doc__))


# %% generator
def g():
    while True:
        yield len(done)


for n in g():
    done.append(n)
    if n > 3:
        break


# %% class
class A:
    for i in range(3):
        done.append(i)


done.append(sorted(vars(A)))
# %% function in a loop
for i in range(2):

    def h():
        for j in range(2):
            done.append(j)

    h()
# %% no call
for i in range(3):
    if i:
        continue
    done += [i]
