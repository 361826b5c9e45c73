using System.Buffers.Binary;
using Vfio.Core.Sets;

namespace Vfio.Core.Features;

/// <summary>
/// The VFIO_DEVICE_FEATUREs that the core itself answers. Absence comes before every other check: ENOTTY. Migration and DMA logging are a
/// variant's, and are not answered here. Source: the kernel's <c>vfio_pci_core_ioctl_feature</c>.
/// </summary>
internal sealed class CoreFeatures(VfToken? token)
{
    private const int WakeUpSize = 8, TokenSize = 16;
    private int _lowPower;

    public VfioResult<int> Answer(in FeatureRequest request, ReadOnlySpan<byte> input) => request.Id switch
    {
        FeatureId.LowPowerEntry => Enter(request, input, 0),
        FeatureId.LowPowerEntryWithWakeup => Enter(request, input, WakeUpSize),
        FeatureId.LowPowerExit => Exit(request, input),
        FeatureId.VfToken when token is not null => Token(token, request, input),
        _ => Errno.ENOTTY,
    };

    // The uAPI lets the function sleep after this, and lets every access wake it. It never sleeps here, so there is no wake-up to tell of
    // either, and the descriptor number in the data, which is the client's own, is only checked for being one.
    private VfioResult<int> Enter(in FeatureRequest request, ReadOnlySpan<byte> input, int minimum)
    {
        var check = request.Check(FeatureOperation.Set, input.Length, minimum);
        if (!check.IsSuccess || !check.Value)
            return new VfioResult<int>(check.Error);
        if (minimum != 0 && BinaryPrimitives.ReadInt32LittleEndian(input) < 0)
            return Errno.EINVAL;
        return Interlocked.Exchange(ref _lowPower, 1) == 0 ? 0 : Errno.EINVAL;
    }

    private VfioResult<int> Exit(in FeatureRequest request, ReadOnlySpan<byte> input)
    {
        var check = request.Check(FeatureOperation.Set, input.Length, 0);
        if (check is { IsSuccess: true, Value: true })
            Interlocked.Exchange(ref _lowPower, 0);
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
