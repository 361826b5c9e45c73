using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting.Tests;

public sealed class GuardedMigrationTests
{
    private readonly FakeDevice _inner = new();
    private readonly FakeMigration _migration = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_variants_migration_is_driven_through_the_guard()
    {
        _inner.Inner = _migration;
        var ops = Guard().MigrationOps!;
        Assert.Equal(MigrationCapabilities.StopCopy, ops.Capabilities);
        var stream = (await ops.SetStateAsync(MigrationState.StopCopy, Cancellation)).Value!;
        var buffer = new byte[8];
        Assert.Equal(3, (await stream.ReadAsync(buffer, Cancellation)).Value);
        Assert.Equal(new VfioResult<int>(0), await stream.ReadAsync(buffer, Cancellation));
        _inner.Reset(ResetCause.PcieFlr);
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(buffer, Cancellation)).Error);
        Assert.Equal(MigrationState.Running, (await ops.GetStateAsync(Cancellation)).Value);
    }

    [Theory]
    [InlineData(nameof(IMigration.StepAsync))]
    [InlineData(nameof(IMigration.SaveAsync))]
    [InlineData(nameof(IMigration.LoadAsync))]
    public async Task A_variant_that_throws_costs_its_own_device(string member)
    {
        _inner.Inner = _migration;
        _migration.Throws = member;
        var device = Guard();
        var ops = device.MigrationOps!;
        var to = member == nameof(IMigration.LoadAsync) ? MigrationState.Resuming : MigrationState.StopCopy;
        var result = await ops.SetStateAsync(to, Cancellation);
        Assert.Equal(member == nameof(IMigration.StepAsync) ? Errno.EIO : Errno.None, result.Error);
        if (member == nameof(IMigration.SaveAsync))
            Assert.Equal(Errno.EIO, (await result.Value!.ReadAsync(new byte[1], Cancellation)).Error);
        if (member == nameof(IMigration.LoadAsync))
            Assert.Equal(Errno.EIO, (await result.Value!.WriteAsync(new byte[1], Cancellation)).Error);
        Assert.Contains(member, device.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Closing_ends_a_session_whatever_the_driver_does(bool closeThrows)
    {
        _inner.Inner = _migration;
        if (closeThrows)
            _inner.OnClose = () => throw new InvalidOperationException("no");
        var device = Guard();
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.Resuming, Cancellation)).Value!;

        // Neither this driver's close nor its function says that there was a reset.
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(new byte[1], Cancellation)).Error);
        Assert.Equal(MigrationState.Running, (await device.MigrationOps.GetStateAsync(Cancellation)).Value);
        Assert.Equal(2, _migration.Resets);
    }

    [Fact]
    public async Task An_open_that_failed_and_closed_does_not_speak_for_the_next_close()
    {
        _inner.Inner = _migration;
        var device = Guard();
        _inner.OnOpen = () =>
        {
            _inner.Reset(ResetCause.Close);
            return Errno.EAGAIN;
        };
        Assert.Equal(Errno.EAGAIN, (await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);
        _inner.OnOpen = () => VfioResult.Success;
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancellation);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(MigrationState.Running, (await device.MigrationOps.GetStateAsync(Cancellation)).Value);
    }

    [Fact]
    public async Task What_is_begun_while_the_device_is_closed_is_over_when_it_is_opened()
    {
        _inner.Inner = _migration;
        var device = Guard();
        var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancellation)).Value!;
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.Equal(MigrationState.Running, (await device.MigrationOps.GetStateAsync(Cancellation)).Value);
        Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], Cancellation)).Error);
    }

    [Fact]
    public async Task An_open_that_says_so_itself_is_told_once()
    {
        _inner.Inner = _migration;
        _inner.OnOpen = () =>
        {
            _inner.Reset(ResetCause.Open);
            return VfioResult.Success;
        };
        var device = Guard();
        var told = new List<ResetCause>();
        device.WasReset += told.Add;
        await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation);
        Assert.Equal([ResetCause.Open], told);
    }

    [Fact]
    public async Task Numbers_of_a_variant_that_throws_are_EIO()
    {
        _inner.Inner = _migration;
        _migration.Capabilities |= MigrationCapabilities.PreCopy;
        var device = Guard();
        var ops = device.MigrationOps!;
        var stream = (await ops.SetStateAsync(MigrationState.PreCopy, Cancellation)).Value!;
        _migration.Throws = nameof(IMigration.PrecopyInfo);
        Assert.Equal(Errno.EIO, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        Assert.Contains(nameof(IMigration.PrecopyInfo), device.Fault, StringComparison.Ordinal);

        // Broken is broken, whatever it would say now.
        _migration.Throws = null;
        Assert.Equal(Errno.EIO, (await ops.GetDataSizeAsync(Cancellation)).Error);
        Assert.Equal(Errno.EIO, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
    }

    [Fact]
    public async Task A_close_that_says_so_itself_is_told_once()
    {
        _inner.Inner = _migration;
        _inner.OnClose = () => _inner.Reset(ResetCause.ClientLost);
        var device = Guard();
        var told = new List<ResetCause>();
        device.WasReset += told.Add;
        await device.CloseAsync(ResetCause.ClientLost);
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal([ResetCause.ClientLost, ResetCause.ClientLost], told);
        Assert.Equal(2, _migration.Resets);
    }

    [Fact]
    public async Task A_close_does_not_wait_for_a_save_that_waits_for_a_reader()
    {
        _inner.Inner = _migration;
        _migration.Megabytes = 64;
        _inner.OnClose = () => Assert.True(_migration.Saved.Task.Wait(TimeSpan.FromSeconds(20), Cancellation));
        var device = Guard();
        await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation);
        await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancellation);
        await _migration.Began.Task;
        await device.CloseAsync(ResetCause.Close);
        Assert.Null(device.Fault);
    }

    [Fact]
    public void A_device_without_migration_or_without_STOP_COPY_has_none()
    {
        Assert.Null(Guard().MigrationOps);
        _inner.Inner = _migration;
        _migration.Capabilities = MigrationCapabilities.PreCopy;
        Assert.Null(Guard().MigrationOps);
    }

    [Fact]
    public async Task The_states_of_a_device_that_has_them_itself_are_passed_on_behind_the_guard()
    {
        var other = new FakeDevice { Inner = _migration };
        _inner.Ops = new Vfio.Core.MigrationService(other);
        var device = Guard();
        Assert.Same(device.MigrationOps, device.MigrationOps);
        var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, Cancellation)).Value!;
        Assert.True(stream.IsSaving);
        Assert.Equal(3, (await stream.ReadAsync(new byte[8], Cancellation)).Value);
        Assert.Equal(Errno.EBADF, (await stream.WriteAsync(new byte[8], Cancellation)).Error);
        Assert.Equal(Errno.EINVAL, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        Assert.Equal(MigrationState.StopCopy, (await device.MigrationOps.GetStateAsync(Cancellation)).Value);
        Assert.Equal(Errno.EINVAL, (await device.MigrationOps.EnablePrecopyInfoV2Async(Cancellation)).Error);

        _inner.Ops = new ThrowingOps();
        var ops = device.MigrationOps;
        Assert.Equal(Errno.EIO, (await ops.SetStateAsync(MigrationState.Stop, Cancellation)).Error);
        Assert.Contains("SetStateAsync threw", device.Fault, StringComparison.Ordinal);
        Assert.Equal(Errno.EIO, (await ops.GetStateAsync(Cancellation)).Error);
    }

    private GuardedDevice Guard()
        => new(_inner, null, "test", TimeSpan.FromSeconds(30), TimeProvider.System, NullLogger.Instance);

    private sealed class FakeMigration : IMigration
    {
        public string? Throws { get; set; }

        public int Megabytes { get; set; }

        public int Resets { get; private set; }

        public TaskCompletionSource Began { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Saved { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public MigrationCapabilities Capabilities { get; set; } = MigrationCapabilities.StopCopy;

        public ulong StopCopySize => 3;

        public PrecopyInfo PrecopyInfo
            => Throws == nameof(PrecopyInfo) ? throw new InvalidOperationException("no") : default;

        public ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
            => Throws == nameof(StepAsync) ? throw new InvalidOperationException("no") : default;

        public async ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
        {
            if (Throws == nameof(SaveAsync))
                throw new InvalidOperationException("no");
            Began.TrySetResult();
            try
            {
                for (var i = 0; i < Megabytes; i++)
                    await session.Saving!.WriteAsync(new byte[1 << 20], cancellationToken);
                await session.Saving!.WriteAsync(new byte[] { 1, 2, 3 }, cancellationToken);
                return VfioResult.Success;
            }
            finally
            {
                Saved.TrySetResult();
            }
        }

        public async ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
        {
            var read = await session.Resuming!.ReadAsync(cancellationToken);
            return Throws == nameof(LoadAsync) ? throw new InvalidOperationException("no") : read.IsCompleted ? default : Errno.EINVAL;
        }

        public void OnReset() => Resets++;
    }

    private sealed class ThrowingOps : IMigrationOps
    {
        public MigrationCapabilities Capabilities => MigrationCapabilities.StopCopy;

        public ValueTask<VfioResult<MigrationState>> GetStateAsync(CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");

        public ValueTask<VfioResult<MigrationDataStream?>> SetStateAsync(MigrationState state, CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");

        public ValueTask<VfioResult<ulong>> GetDataSizeAsync(CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");

        public ValueTask<VfioResult> EnablePrecopyInfoV2Async(CancellationToken cancellationToken)
            => throw new InvalidOperationException("no");
    }
}
