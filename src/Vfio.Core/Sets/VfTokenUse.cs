using Microsoft.Extensions.Logging;

namespace Vfio.Core.Sets;

/// <summary>What an open device has to do with a VF token, until it is closed.</summary>
internal sealed class VfTokenUse
{
    private static readonly VfTokenUse None = new(null, null);
    private readonly Action? _end;

    private VfTokenUse(VfToken? own, Action? end)
    {
        Own = own;
        _end = end;
    }

    /// <summary>The token of a PF; null for anything else.</summary>
    public VfToken? Own { get; }

    /// <summary>Compares what the opener shows with what must be shown.</summary>
    /// <param name="sets">Who else is open.</param>
    /// <param name="function">The function that is being opened.</param>
    /// <param name="isPhysicalFunction">Whether it has SR-IOV.</param>
    /// <param name="given">What the opener shows.</param>
    /// <param name="logger">Where a refusal says why: an errno does not.</param>
    /// <returns>EACCES: the token is missing or wrong. EINVAL: a token is of no use here.</returns>
    public static VfioResult<VfTokenUse> Begin(DeviceSets sets, IPciFunction function, bool isPhysicalFunction, Guid? given, ILogger logger)
    {
        VfioResult opened;
        var use = None;
        if (function.VirtualFunctionIndex >= 0 && function.PhysicalFunction is { } physical)
        {
            var token = sets.TokenOf(physical);
            opened = token.OpenVirtual(given);
            use = new(null, token.CloseVirtual);
        }
        else if (function.VirtualFunctionIndex < 0 && isPhysicalFunction)
        {
            var token = sets.TokenOf(function.Address);
            opened = token.OpenPhysical(given);
            use = new(token, token.ClosePhysical);
        }
        else
        {
            opened = given is null ? VfioResult.Success : Errno.EINVAL;
        }

        if (opened.IsSuccess)
            return use;
        if (logger.IsEnabled(LogLevel.Information))
            logger.LogInformation("{Function}: {Reason}", function.Address, WhyNot(opened.Error, given));
        return opened.Error;
    }

    public void End() => _end?.Invoke();

    private static string WhyNot(Errno error, Guid? given) => error == Errno.EINVAL
        ? "a VF token was given and is of no use: it is no PF, and no VF of a PF that is in use or was given a token"
        : given is null ? "a VF token is required to open it" : "the VF token given is not the one that its PF has";
}
