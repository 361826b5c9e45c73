using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Sets;

/// <summary>Hot resets against hot resets, resets, FLRs, power states, accesses and closes, from many threads at once.</summary>
public sealed class HotResetStressTests
{
    private const int Functions = 4, ThreadsEach = 3, Rounds = 60, Batch = 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly VfioPciCoreOptions _process = new();
    private readonly ScriptedSlot _slot = new();
    private readonly DmaSpace _memory = new();
    private readonly List<string> _broken = [];
    private int _express;
    private int _power;
    private int _inSlotReset;
    private int _done;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Trap", "31")]
    public async Task Nobody_deadlocks_no_access_meets_a_reset_and_every_hook_has_its_other_half()
    {
        var hardware = new Hardware();
        _express = hardware.Express();
        _power = hardware.PowerManagement(capabilities: 0xFE03);
        var devices = new List<(ScriptedFunction Function, OpenDevice Device)>();
        for (var i = 0; i < Functions; i++)
        {
            var function = _slot.Add(i, group: 1, config: hardware.Bytes);
            function.Notes = function.Bars[0].Notes = false;
            var device = OpenDevice.Closed(function, _process);
            Watch(function, device);
            Assert.True((await OpenAsync(device)).IsSuccess);
            devices.Add((function, device));
        }

        _slot.OnReset = async _ =>
        {
            Check(Interlocked.Increment(ref _inSlotReset) == 1, "two resets of the slot at once");
            await Task.Yield();
            Interlocked.Decrement(ref _inSlotReset);
            return VfioResult.Success;
        };
        // Between two rounds everybody rests, and nothing is in the way.
        var calm = devices[0].Device;
        using var round = new Barrier((Functions * ThreadsEach) + 1, _ => Ask(calm.HotResetAsync(Cancellation), Errno.None));
        var threads = new List<Task>();
        foreach (var (_, device) in devices)
        {
            threads.Add(Run(round, () => Ask(device.HotResetAsync(Cancellation), Errno.None, Errno.EBUSY, Errno.EINVAL)));
            threads.Add(Run(round, () => Ask(device.ResetAsync(ResetCause.DeviceReset, Cancellation), Errno.None, Errno.EINVAL)));
            threads.Add(Run(round, () => Touch(device)));
        }

        // The last one comes and goes.
        var comer = devices[^1].Device;
        threads.Add(Run(round, () =>
        {
            comer.CloseAsync(ResetCause.Close).AsTask().GetAwaiter().GetResult();
            Ask(OpenAsync(comer), Errno.None);
        }));
        await Task.WhenAll(threads).WaitAsync(Patience, Cancellation);

        Assert.Empty(_broken);
        Assert.True(_done >= Rounds * Functions, $"{_done} of at least {Rounds * Functions} hot resets of a device");
        foreach (var (_, device) in devices)
        {
            device.WriteConfig(_power + 4, 2, 0);
            device.WriteConfig(4, 2, 6);
            Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
        }

        Assert.True((await devices[0].Device.HotResetAsync(Cancellation)).IsSuccess);
        foreach (var (_, device) in devices)
        {
            await device.CloseAsync(ResetCause.Close).AsTask().WaitAsync(Patience, Cancellation);
            Assert.Empty(_broken);
        }
    }

    // Whatever a function is told or asked while its slot is being reset is a client's access that got through.
    private void Watch(ScriptedFunction function, OpenDevice device)
    {
        var depth = 0;
        function.Bars[0].OnAccess = (_, _) => Check(Volatile.Read(ref _inSlotReset) == 0, "an access during a reset of the slot");
        function.OnConfigWrite = (_, _, _) => Check(Volatile.Read(ref _inSlotReset) == 0, "a configuration write during a reset of the slot");
        function.OnReset = async (_, _) =>
        {
            Check(Volatile.Read(ref _inSlotReset) == 0, "a reset of a function during one of its slot");
            await Task.Yield();
            return VfioResult.Success;
        };
        device.OnPrepare = cause =>
        {
            device.Hooks.Clear();
            Check(Interlocked.Increment(ref depth) == 1, $"prepare {cause} inside another");
        };
        device.OnDone = cause =>
        {
            device.Hooks.Clear();
            Check(Interlocked.Decrement(ref depth) == 0, $"done {cause} without prepare");
            if (cause == ResetCause.HotReset)
                Interlocked.Increment(ref _done);
        };
    }

    private void Touch(OpenDevice device)
    {
        Span<byte> bytes = stackalloc byte[4];
        _ = device.Read(0, 0, bytes);
        _ = device.Write(RegionIndex.Config, 4, [0x06, 0x04]);
        _ = device.Write(RegionIndex.Config, (ulong)_power + 4, [0x03, 0x00]);
        _ = device.Write(RegionIndex.Config, (ulong)_power + 4, [0x00, 0x00]);
        _ = device.Write(RegionIndex.Config, (ulong)_express + 8, [0x00, 0x80]);
        _ = device.Write(0, 8, bytes);
        _ = device.Write(RegionIndex.Config, 4, [0x02, 0x00]);
        _ = device.GetHotResetInfo();
    }

    private ValueTask<VfioResult> OpenAsync(OpenDevice device) => device.OpenAsync(new() { Dma = _memory }, Cancellation);

    private void Ask(ValueTask<VfioResult> request, params Errno[] allowed)
    {
        var error = request.AsTask().GetAwaiter().GetResult().Error;
        Check(allowed.Contains(error), $"answered {error}, not {string.Join(", ", allowed)}");
    }

    private void Check(bool holds, string what)
    {
        if (holds)
            return;
        lock (_broken)
            _broken.Add(what);
    }

    // Threads of their own: they block, as a client's do, and what they wait for runs in the pool.
    private static Task Run(Barrier round, Action work) => Task.Factory.StartNew(
        () =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                for (var j = 0; j < Batch; j++)
                    work();
                round.SignalAndWait(Patience, Cancellation);
            }
        },
        Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
