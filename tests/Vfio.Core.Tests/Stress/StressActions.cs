using System.Buffers.Binary;
using Vfio.Native;

namespace Vfio.Core.Tests.Stress;

/// <summary>What the threads do to the device, all at once, open or closed.</summary>
internal sealed class StressActions(StressDevice device, StressFunction function, Violations violations)
{
    public void AccessMemory(StressWorker worker)
    {
        worker.At = "BAR 0";
        var random = worker.Random;
        Span<byte> bytes = stackalloc byte[64];
        if (random.Next(4) == 0)
        {
            // Of any shape, behind the registers that are checked.
            var at = (ulong)random.Next(0x800, 0xD00);
            var some = bytes[..random.Next(1, 64)];
            Allow(random.Next(2) == 0 ? device.Read(0, at, some) : device.Write(0, at, some), Errno.EIO);
            return;
        }

        var width = 1 << random.Next(4);
        var offset = (ulong)(random.Next(0x100 / width) * width);
        var register = bytes[..width];
        var isWrite = random.Next(2) == 0;
        if (isWrite)
            register.Fill((byte)random.Next(256));
        StressBar.Expect(offset, width);
        var result = isWrite ? device.Write(0, offset, register) : device.Read(0, offset, register);
        var seen = StressBar.Seen();
        Allow(result, Errno.EIO);
        violations.Check(seen == (result.IsSuccess ? 1 : 0), $"{seen} accesses for one of {width}");
        if (result.IsSuccess && !isWrite)
            violations.Check(register.IndexOfAnyExcept(register[0]) < 0, $"a torn read: {Convert.ToHexString(register)}");
    }

    public void AccessPorts(StressWorker worker)
    {
        worker.At = "BAR 1";
        Span<byte> bytes = stackalloc byte[4];
        var offset = (ulong)(worker.Random.Next(16) * 4);
        // EIO: the access began before the device was closed.
        Allow(worker.Random.Next(2) == 0 ? device.Read(1, offset, bytes) : device.Write(1, offset, bytes), Errno.EIO);
    }

    public void ReadConfig(StressWorker worker)
    {
        worker.At = "reading configuration space";
        Span<byte> bytes = stackalloc byte[256];
        var length = worker.Random.Next(3) == 0 ? 256 : worker.Random.Next(1, 9);
        var result = device.Read(RegionIndex.Config, (ulong)worker.Random.Next(0, 257 - length), bytes[..length]);
        Allow(result);
        violations.Check(!result.IsSuccess || result.Value == length, $"{result.Value} of {length} bytes");
    }

    public void WriteConfig(StressWorker worker)
    {
        var random = worker.Random;
        switch (random.Next(6))
        {
            case 0:
                Write(worker, "the MSI control word", function.Msi + 2, 2, (uint)random.Next(0x10000));
                break;
            case 1:
                Write(worker, "BAR 0", 0x10, 4, uint.MaxValue);
                Span<byte> sized = stackalloc byte[4];
                // What was written, shaped; or, after a close and an open in between, what the hardware has.
                if (device.Read(RegionIndex.Config, 0x10, sized).IsSuccess)
                {
                    var read = BinaryPrimitives.ReadUInt32LittleEndian(sized);
                    violations.Check(read is 0xFFFFF000 or 0, $"BAR 0 reads {read:x}");
                }

                break;
            case 2:
                Write(worker, "vendor-specific registers", function.Vendor + 8, 4, (uint)random.Next());
                break;
            case 3:
                Write(worker, "unassigned registers", 0xF0, 4, (uint)random.Next());
                break;
            case 4:
                Write(worker, "the largest read request", function.Express + 8, 2, (uint)random.Next(8) << 12);
                break;
            default:
                Write(worker, "the interrupt line", 0x3C, 1, (uint)random.Next(256));
                break;
        }
    }

    public void WriteCommand(StressWorker worker)
    {
        Write(worker, "COMMAND", 4, 2, (uint)worker.Random.Next(4) switch { 0 => 5u, 1 => 0x0407, _ => 7 });
        Thread.SpinWait(worker.Random.Next(3000));
        // INTx is never shut up for long: whoever waits for one gets it.
        Write(worker, "COMMAND", 4, 2, 7);
        Thread.SpinWait(worker.Random.Next(20_000));
    }

    public void ChangePower(StressWorker worker)
    {
        Write(worker, "PMCSR to D3hot", function.Power + 4, 2, 3);
        Thread.SpinWait(worker.Random.Next(2000));
        Write(worker, "PMCSR to D0", function.Power + 4, 2, 0);
        Thread.SpinWait(worker.Random.Next(20_000));
    }

    public void ResetByConfig(StressWorker worker)
    {
        if (worker.Random.Next(2) == 0)
            Write(worker, "Initiate FLR", function.Express + 9, 1, 0x80);
        else
            Write(worker, "Initiate AF FLR", function.Advanced + 4, 1, 1);
        Thread.SpinWait(worker.Random.Next(20_000));
    }

    public void Reset(StressWorker worker)
    {
        worker.At = "DEVICE_RESET";
        using var giveUp = new CancellationTokenSource();
        var resetting = device.ResetAsync(ResetCause.DeviceReset, giveUp.Token).AsTask();
        if (worker.Random.Next(4) == 0)
            giveUp.Cancel();
        try
        {
            var result = resetting.GetAwaiter().GetResult();
            violations.Check(result.Error is Errno.None or Errno.EAGAIN or Errno.EINVAL, $"a reset gave {result.Error}");
        }
        catch (OperationCanceledException)
        {
            violations.Check(giveUp.IsCancellationRequested, "a reset was cancelled by nobody");
        }

        Thread.SpinWait(worker.Random.Next(20_000));
    }

    public void Sleep(StressWorker worker)
    {
        worker.At = "low power";
        // Whoever accesses the device wakes it.
        Allow(device.Feature(new FeatureRequest(FeatureId.LowPowerEntry, FeatureOperation.Set), [], []));
        Thread.SpinWait(worker.Random.Next(2000));
        Allow(device.Feature(new FeatureRequest(FeatureId.LowPowerExit, FeatureOperation.Set), [], []));
        Thread.SpinWait(worker.Random.Next(20_000));
    }

    public void SetIoEventFd(StressWorker worker)
    {
        worker.At = "an ioeventfd";
        using var eventFd = EventFd.Create();
        var set = device.SetIoEventFd(0, 0xD00, 4, 0x12345678, eventFd);
        violations.Check(set.Error is Errno.None or Errno.EINVAL, $"an ioeventfd: {set.Error}");
        EventFd.Signal(eventFd);
        Thread.SpinWait(worker.Random.Next(2000));
        // ENODEV: the device was closed meanwhile, and another life began.
        var removed = device.SetIoEventFd(0, 0xD00, 4, 0x12345678, null);
        violations.Check(removed.Error is Errno.None or Errno.EINVAL or Errno.ENODEV, $"an ioeventfd goes: {removed.Error}");
    }

    public void Ask(StressWorker worker)
    {
        worker.At = "asking";
        for (var i = 0; i < 6; i++)
        {
            device.GetIrqInfo(i);
            device.GetRegionInfo(i + 3);
        }

        _ = device.Info;
        device.RequestRelease(1);
        device.Feature(new FeatureRequest(FeatureId.Migration, FeatureOperation.Probe), [], []);
    }

    private void Write(StressWorker worker, string what, int offset, int width, uint value)
    {
        worker.At = $"writing {what}";
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        Allow(device.Write(RegionIndex.Config, (ulong)offset, bytes[..width]));
    }

    // EINVAL is what a closed device answers.
    private void Allow(VfioResult<int> result, Errno also = Errno.None)
        => violations.Check(result.Error is Errno.None or Errno.EINVAL || result.Error == also, $"{result.Error}");
}
