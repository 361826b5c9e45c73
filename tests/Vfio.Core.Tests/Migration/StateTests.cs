using Vfio.Core.Tests.Scripted;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class StateTests
{
    private static readonly MigrationState[] Every = [Stop, Running, StopCopy, Resuming, RunningP2P, PreCopy, PreCopyP2P];
    private readonly Migrating _it = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_device_that_does_not_migrate_has_no_service()
    {
        Assert.Equal(Errno.ENOTTY, Assert.Throws<VfioException>(() => new MigrationService(new ScriptedDevice(null))).Error);
        var without = new ScriptedDevice(new ScriptedMigration(MigrationCapabilities.P2P));
        Assert.Equal(Errno.EINVAL, Assert.Throws<VfioException>(() => new MigrationService(without)).Error);
    }

    [Fact]
    [Trait("Trap", "37")]
    public async Task Only_a_reset_leaves_ERROR()
    {
        _it.Variant.OnStep = (arc, _, _) => new(arc.From == StopCopy ? Errno.ENOTRECOVERABLE : Errno.None);
        var stream = await _it.BeginAsync(StopCopy);
        Assert.Equal(Errno.ENOTRECOVERABLE, await _it.FailAsync(Running));
        Assert.Equal(Error, await _it.StateAsync());
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
        foreach (var state in Every)
            Assert.Equal(Errno.EINVAL, await _it.FailAsync(state));

        // To be where one is succeeds even there.
        Assert.Null(await _it.GoAsync(Error));
        _it.Device.Reset();
        Assert.Equal(Running, await _it.StateAsync());
        Assert.Equal(Errno.EINVAL, await _it.FailAsync(Error));
    }

    [Fact]
    [Trait("Trap", "38")]
    public async Task A_request_that_fails_on_the_way_leaves_a_state_on_the_way()
    {
        _it.Variant.OnStep = (arc, _, _) => new(arc.To == StopCopy ? Errno.EBUSY : Errno.None);
        Assert.Equal(Errno.EBUSY, await _it.FailAsync(StopCopy));
        Assert.Equal(Stop, await _it.StateAsync());

        // Whoever cannot take the stream has reached the state all the same.
        _it.Variant.OnStep = (_, _, _) => default;
        await (await _it.BeginAsync(StopCopy)).DisposeAsync();
        Assert.Equal(StopCopy, await _it.StateAsync());
    }

    [Fact]
    public async Task A_step_that_throws_is_EIO_and_leaves_the_state()
    {
        _it.Variant.OnStep = (_, _, _) => throw new InvalidOperationException("no");
        Assert.Equal(Errno.EIO, await _it.FailAsync(Stop));
        Assert.Equal(Running, await _it.StateAsync());
    }

    [Fact]
    public async Task A_change_is_given_up_between_two_steps_and_inside_them()
    {
        using var giveUp = new CancellationTokenSource();
        _it.Variant.OnStep = (_, _, _) =>
        {
            giveUp.Cancel();
            return default;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _it.Service.SetStateAsync(Stop, giveUp.Token).Soon());
        Assert.Equal(RunningP2P, await _it.StateAsync());

        using var inside = new CancellationTokenSource();
        var began = new Signal();
        _it.Variant.OnStep = async (_, _, token) =>
        {
            began.Set();
            await Task.Delay(Timeout.Infinite, token);
            return default;
        };
        var change = _it.Service.SetStateAsync(StopCopy, inside.Token).Soon();
        await began.WaitAsync(Cancellation);
        await inside.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => change);
        Assert.Equal(RunningP2P, await _it.StateAsync());
    }

    [Fact]
    [Trait("Trap", "44")]
    public async Task The_data_size_is_told_in_every_state_and_during_a_step()
    {
        var asked = 0;
        _it.Variant.OnStopCopySize = () => (ulong)++asked;
        foreach (var state in Every)
        {
            await _it.GoAsync(state);
            var saves = _it.Variant.Saves.Count;
            var arcs = _it.Variant.Arcs.Count;
            Assert.Equal(new VfioResult<ulong>((ulong)asked + 1), await _it.Service.GetDataSizeAsync(Cancellation));
            Assert.Equal(state, await _it.StateAsync());
            Assert.Equal(arcs, _it.Variant.Arcs.Count);
            Assert.InRange(_it.Variant.Saves.Count, saves, saves + 1);
            _it.Device.Reset();
        }

        var inStep = new Signal();
        var goOn = new Signal();
        _it.Variant.OnStep = async (_, _, _) =>
        {
            inStep.Set();
            await goOn.WaitAsync(CancellationToken.None);
            return Errno.ENOTRECOVERABLE;
        };
        var change = _it.Service.SetStateAsync(Stop, Cancellation).Soon();
        await inStep.WaitAsync(Cancellation);
        var size = _it.Service.GetDataSizeAsync(Cancellation).AsTask();
        Assert.True(size.IsCompleted);
        Assert.True((await size).IsSuccess);
        goOn.Set();
        await change;
        Assert.Equal(Error, await _it.StateAsync());
        Assert.True((await _it.Service.GetDataSizeAsync(Cancellation)).IsSuccess);

        _it.Variant.OnStopCopySize = () => throw new InvalidOperationException("no");
        Assert.Equal(Errno.EIO, (await _it.Service.GetDataSizeAsync(Cancellation)).Error);
    }

    [Fact]
    [Trait("Trap", "42")]
    public async Task The_guests_accesses_work_and_are_captured_in_every_state()
    {
        var bar = new ScriptedBar(4096);
        var function = new ScriptedFunction(new Hardware().Bytes);
        function.Bars[0] = bar;
        var variant = new ScriptedMigration(ScriptedMigration.All);
        var device = new MigratingPciDevice(new VfioPciCore(function), variant);
        var service = new MigrationService(device);
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        uint value = 0;
        foreach (var state in Every)
        {
            Assert.True((await service.SetStateAsync(state, Cancellation).Soon()).IsSuccess);
            Assert.Equal(4, device.Write(0, 16, BitConverter.GetBytes(++value)).Value);
            var read = new byte[4];
            Assert.Equal(4, device.Read(0, 16, read).Value);
            Assert.Equal(value, BitConverter.ToUInt32(read));
            Assert.Equal(4, device.Read(RegionIndex.Config, 0, read).Value);
        }

        // And its reset comes from the function itself.
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        Assert.Equal(Running, (await service.GetStateAsync(Cancellation)).Value);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_close_of_a_PCI_device_is_told_once_with_or_without_a_reset(bool canReset)
    {
        var hardware = new Hardware();
        hardware.Express(flr: canReset);
        var function = new ScriptedFunction(hardware.Bytes) { ResetMethods = canReset ? [FunctionResetMethod.Flr] : [] };
        var device = new MigratingPciDevice(new VfioPciCore(function), new ScriptedMigration(ScriptedMigration.All));
        var service = new MigrationService(device);
        var told = new List<ResetCause>();
        device.WasReset += told.Add;
        for (var i = 0; i < 2; i++)
        {
            Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
            Assert.True((await service.SetStateAsync(Stop, Cancellation).Soon()).IsSuccess);
            told.Clear();
            await device.CloseAsync(ResetCause.ClientLost);
            await device.CloseAsync(ResetCause.Close);
            Assert.Equal([ResetCause.ClientLost], told);
            Assert.Equal(Running, (await service.GetStateAsync(Cancellation)).Value);
        }
    }

    private sealed class MigratingPciDevice(IVfioPciCore core, IMigration migration) : VfioPciDevice(core)
    {
        public override IMigration? Migration => migration;
    }
}
