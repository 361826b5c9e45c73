using System.Buffers.Binary;
using Vfio.Core.Interrupts;
using Vfio.Core.Reset;
using Vfio.Core.Sets;
using Vfio.Native;

namespace Vfio.Core.Features;

/// <summary>
/// The VFIO_DEVICE_FEATUREs that the core itself answers. Absence comes before every other check: ENOTTY. Migration and DMA logging are a
/// variant's, and are not answered here. Source: the kernel's <c>vfio_pci_core_ioctl_feature</c>.
/// </summary>
internal sealed class CoreFeatures(VfToken? token, LowPower lowPower)
{
    private const int WakeUpSize = 8, TokenSize = 16;

    public VfioResult<int> Answer(in FeatureRequest request, ReadOnlySpan<byte> input) => request.Id switch
    {
        FeatureId.LowPowerEntry => Enter(request, input.Length),
        FeatureId.LowPowerEntryWithWakeup => EnterWithWakeUp(request, input),
        FeatureId.LowPowerExit => Exit(request, input.Length),
        FeatureId.VfToken when token is not null => Token(token, request, input),
        _ => Errno.ENOTTY,
    };

    private VfioResult<int> Enter(in FeatureRequest request, int length)
    {
        var check = request.Check(FeatureOperation.Set, length, 0);
        return check is { IsSuccess: true, Value: true } ? new(lowPower.Enter(null).Error) : new VfioResult<int>(check.Error);
    }

    // The number in the data is the client's own and only its sign counts; the descriptor comes beside it.
    private VfioResult<int> EnterWithWakeUp(in FeatureRequest request, ReadOnlySpan<byte> input)
    {
        var check = request.Check(FeatureOperation.Set, input.Length, WakeUpSize);
        if (!check.IsSuccess || !check.Value)
            return new VfioResult<int>(check.Error);
        if (BinaryPrimitives.ReadInt32LittleEndian(input) < 0)
            return Errno.EINVAL;
        // A descriptor that is not there is one that is not open: a client that would wait for ever is told.
        if (request.EventFd is not { } eventFd)
            return Errno.EBADF;
        if (HeldEventFds.Check(eventFd) is { IsSuccess: false } bad)
            return new VfioResult<int>(bad.Error);
        var mine = EventFd.Duplicate(eventFd);
        return mine.IsInvalid ? Errno.EMFILE : new VfioResult<int>(lowPower.Enter(mine).Error);
    }

    private VfioResult<int> Exit(in FeatureRequest request, int length)
    {
        var check = request.Check(FeatureOperation.Set, length, 0);
        if (check is { IsSuccess: true, Value: true })
            lowPower.Exit();
        return new VfioResult<int>(check.Error);
    }

    private static VfioResult<int> Token(VfToken token, in FeatureRequest request, ReadOnlySpan<byte> input)
    {
        var check = request.Check(FeatureOperation.Set, input.Length, TokenSize);
        if (check is { IsSuccess: true, Value: true })
            token.Set(new Guid(input[..TokenSize], bigEndian: true));
        return new VfioResult<int>(check.Error);
    }
}
