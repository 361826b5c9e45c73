using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Reset;

public sealed class ResetTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Methods_are_tried_in_order_until_one_is_the_functions()
    {
        var function = new ScriptedFunction(new Hardware().Bytes)
        {
            ResetMethods = [FunctionResetMethod.DeviceSpecific, FunctionResetMethod.Flr, FunctionResetMethod.Bus],
            OnReset = (method, _) => new(method == FunctionResetMethod.DeviceSpecific ? Errno.ENOTTY : VfioResult.Success),
        };
        await using var device = await OpenDevice.Open(function);
        function.Log.Clear();

        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        Assert.Equal(["reset DeviceSpecific", "reset Flr"], function.Log);
        function.OnReset = (_, _) => new(Errno.ETIMEDOUT);
        Assert.Equal(Errno.ETIMEDOUT, (await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
    }

    [Fact]
    [Trait("Trap", "11")]
    public async Task Virtual_registers_interrupts_and_hardware_configuration_survive_a_device_reset()
    {
        var hardware = new Hardware();
        var express = hardware.Express();
        hardware.Set32(0x10, 0xFE000000);
        hardware.Msix(2, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msix = 2;
        function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);
        using var client = EventFd.Create();
        device.Trigger(IrqIndex.Msix, 0, Requests.Duplicate(client));
        device.WriteConfig(0x10, 4, 0xDEADBEEF);
        device.WriteConfig(0x3C, 1, 0x2A);
        device.WriteConfig(4, 2, 0x406);
        device.WriteConfig(express + 0x28, 2, 5);
        var before = function.ConfigBytes.ToArray();
        var command = 0u;
        function.OnReset = (_, _) =>
        {
            command = function.Hardware32(4) & 0xFFFF;
            return new(VfioResult.Success);
        };

        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        Assert.Equal(["prepare DeviceReset", "done DeviceReset"], device.Hooks);
        Assert.Equal(0x400u, command);
        Assert.Equal(Convert.ToHexString(before), Convert.ToHexString(function.ConfigBytes));
        Assert.Equal(0xDEADB000u, device.ReadConfig(0x10));
        Assert.Equal(0x2Au, device.ReadConfig(0x3C, 1));
        Assert.Equal(0x406u, device.ReadConfig(4, 2));
        function.Lines.Fire(0);
        Assert.Equal(1ul, EventFd.Consume(client));
    }

    [Fact]
    public async Task Decoding_comes_back_after_a_reset_when_every_BAR_has_its_address_again()
    {
        const int Bar0 = 0x10, LastBar = 0x24, Command = 4;
        var hardware = new Hardware();
        hardware.Express();
        // The function has its addresses from its host: a reset loses them, and decoding.
        hardware.Set16(Command, 0);
        var function = new ScriptedFunction(hardware.Bytes);
        for (var register = Bar0; register <= LastBar; register += 4)
            BinaryPrimitives.WriteUInt32LittleEndian(function.ConfigBytes.AsSpan(register), 0xFE000000u + (uint)(register << 12));
        function.ConfigBytes[Command] = 3;
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        Assert.Equal(VfioResult.Success, await device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken));
        var decoding = function.Writes.FindIndex(write => write.Offset == Command && (write.Value & 3) != 0);
        Assert.Equal(6, function.Writes.FindLastIndex(write => write.Offset is >= Bar0 and <= LastBar)
            - function.Writes.FindIndex(write => write.Offset is >= Bar0 and <= LastBar) + 1);
        Assert.True(decoding > function.Writes.FindLastIndex(write => write.Offset is >= Bar0 and <= LastBar));
    }

    [Fact]
    public async Task A_reset_excludes_accesses_and_a_variants_hooks_pass()
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        var bar = function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);
        var inReset = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        function.OnReset = async (_, _) =>
        {
            inReset.TrySetResult();
            await letGo.Task;
            return VfioResult.Success;
        };
        var hookRead = 0;
        device.OnDone = _ => hookRead = device.Core.Read(0, 0, new byte[4]).Value;
        bar.Accesses.Clear();

        var reset = device.ResetAsync(ResetCause.DeviceReset, Cancellation).AsTask();
        await inReset.Task;
        var access = Task.Run(() => device.Read(0, 8, new byte[4]), Cancellation);
        Assert.Empty(bar.Accesses);
        letGo.SetResult();
        Assert.True((await reset).IsSuccess);
        Assert.Equal(4, (await access).Value);
        Assert.Equal(4, hookRead);
        Assert.Equal([0ul, 8], bar.Accesses.Select(a => a.Offset));
    }

    [Fact]
    public async Task A_configuration_write_that_initiates_an_FLR_returns_when_the_function_is_back()
    {
        var hardware = new Hardware();
        var at = hardware.Express();
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        var inReset = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        function.OnReset = async (_, _) =>
        {
            inReset.TrySetResult();
            await letGo.Task;
            return VfioResult.Success;
        };

        var write = Task.Run(() => device.WriteConfig(at + 8, 2, 0xA030), Cancellation);
        await inReset.Task;
        Assert.False(write.IsCompleted);
        letGo.SetResult();
        await write.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(["prepare PcieFlr", "done PcieFlr"], device.Hooks);
    }

    [Fact]
    public async Task A_reset_ends_a_transfer_that_an_access_waits_for()
    {
        using var dma = new StalledDma();
        var function = new ScriptedFunction(new Hardware().Bytes);
        var bar = function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function, dma);
        bar.OnAccess = (_, _) => function.Dma!.Read(0, new byte[1]);

        var access = Task.Run(() => device.Write(0, 0, new byte[4]), Cancellation);
        dma.Waiting.Wait(Cancellation);
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
        Assert.Equal(4, (await access).Value);
    }

    [Fact]
    public async Task A_variant_that_throws_in_a_hook_leaves_the_device_accessible()
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);
        device.OnDone = _ => throw new InvalidOperationException("variant");

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await device.ResetAsync(ResetCause.DeviceReset, Cancellation));
        device.OnDone = null;
        Assert.Equal(4, device.Read(0, 0, new byte[4]).Value);
    }

    [Fact]
    public async Task A_reset_that_is_given_up_tells_the_variant_that_it_is_over()
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        await using var device = await OpenDevice.Open(function);
        using var giveUp = new CancellationTokenSource();
        function.OnReset = async (_, token) =>
        {
            giveUp.Cancel();
            await Task.FromCanceled(token);
            return VfioResult.Success;
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await device.ResetAsync(ResetCause.DeviceReset, giveUp.Token));
        function.OnReset = null;
        Assert.Equal(["prepare DeviceReset", "done DeviceReset"], device.Hooks);
        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).IsSuccess);
    }

    private sealed class StalledDma : IDmaSpace, IDisposable
    {
        private readonly ManualResetEventSlim _cancelled = new();

        public ManualResetEventSlim Waiting { get; } = new();

        public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
        {
            segment = default;
            return false;
        }

        public VfioResult Read(ulong iova, Span<byte> destination)
        {
            _cancelled.Reset();
            Waiting.Set();
            _cancelled.Wait();
            return Errno.ECANCELED;
        }

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => Errno.EFAULT;

        public void CancelTransfers() => _cancelled.Set();

        public void Dispose()
        {
            _cancelled.Dispose();
            Waiting.Dispose();
        }
    }

    [Fact]
    public async Task A_hook_writes_COMMAND_while_interrupts_are_being_set_up()
    {
        var hardware = new Hardware();
        hardware.Msix(4, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        function.Lines.Msix = 4;
        await using var device = await OpenDevice.Open(function);
        using var enabling = new ManualResetEventSlim();
        function.Lines.OnEnable = enabling.Set;
        Task<VfioResult<int>>? setUp = null;
        device.OnDone = _ =>
        {
            setUp = Task.Run(() => device.SetIrqs(new()
            {
                Index = (uint)IrqIndex.Msix,
                Count = 1,
                Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger,
                EventFds = new SafeFileHandle?[] { EventFd.Create() },
            }), Cancellation);
            enabling.Wait(TimeSpan.FromSeconds(10), Cancellation);
            device.WriteConfig(4, 2, 0x0402);
        };

        var reset = Task.Run(async () => await device.ResetAsync(ResetCause.DeviceReset, Cancellation), Cancellation);
        Assert.True((await reset.WaitAsync(TimeSpan.FromSeconds(5), Cancellation)).IsSuccess);
        Assert.Equal(0, (await setUp!.WaitAsync(TimeSpan.FromSeconds(5), Cancellation)).Value);
        device.OnDone = null;
        Assert.NotEqual(0u, device.ReadConfig(4, 2) & 0x400);
    }
}
